package check

import "github.com/respawn-go/respawn/chaos/history"

// hostMetrics are what a look from outside shows: what was left behind, and what grew.
var hostMetrics = []Metric{
	{
		Name: "processes.orphaned", Unit: Count,
		Meaning: "Processes of the target left at the end that are no member's.",
		Formula: "Orphans in the last sample, of the stage verify or stop.",
		of:      (*state).orphansLeft,
	},
	{
		Name: "processes.orphaned.time", Unit: Seconds, Live: true, Lasting: true,
		Meaning: "Longest time that there were such processes.",
		Formula: "The longest run of samples with orphans, from the first of them to the sample after the last; +Inf if there are some in the last sample of a run that came to its end, up to now until then.",
		of:      (*state).orphanTime,
	},
	{
		Name: "processes.zombies", Unit: Count,
		Meaning: "Dead processes of the target that nobody reaped.",
		Formula: "Zombies in the last sample, of the stage verify or stop.",
		of:      func(s *state) reading { return s.left(func(e *history.Sample) int { return e.Zombies }) },
	},
	{
		Name: "cgroups.leaked", Unit: Count,
		Meaning: "Control groups of the target left behind.",
		Formula: "Those of the last sample (verify or stop) beyond what the members at that time account for at the " +
			"rate of the last sample before the stage chaos; all of them once no members are wanted.",
		of: (*state).cgroupsLeaked,
	},
	growth("fds.growth", Count, "File descriptors of the target's process", "Its open descriptors",
		func(e *history.Sample) int64 { return int64(e.FDs) }),
	growth("goroutines.growth", Count, "Goroutines of the target's process", "Its goroutines",
		func(e *history.Sample) int64 { return int64(e.Goroutines) }),
	growth("memory.growth", Bytes, "Resident memory of the target's process", "Its resident set",
		func(e *history.Sample) int64 { return e.ParentRSS }),
	growth("memory.members.growth", Bytes, "Resident memory of all members", "The sum of their resident sets",
		func(e *history.Sample) int64 { return e.RSS }),
	{
		Name: "memory.parent.max", Unit: Bytes, Live: true, Lasting: true,
		Meaning: "Most resident memory of the target's process.", Formula: "The largest such figure of a sample.",
		of: func(s *state) reading { return s.most(s.looks.parentMax) },
	},
	{
		Name: "memory.members.max", Unit: Bytes, Live: true, Lasting: true,
		Meaning: "Most resident memory of all members.", Formula: "The largest such figure of a sample.",
		of: func(s *state) reading { return s.most(s.looks.membersMax) },
	},
	{
		Name: "memory.member.max", Unit: Bytes, Live: true, Lasting: true,
		Meaning: "Most resident memory of one member that ended.", Formula: "The largest max_rss of an exit.",
		of: func(s *state) reading { return s.most(s.crew.maxRSS) },
	},
	{
		Name: "host.oom", Unit: Count, Live: true, Aside: true,
		Meaning: "Processes that the kernel killed for memory beside the victims.",
		Formula: "The growth of oom_kill over the samples, of the memory cgroup that the members without one of their own are in; " +
			"of the host, less the victims' own, where there is none.",
		of: (*state).hostOOM,
	},
	{
		Name: "events.dropped", Unit: Count, Live: true, Aside: true,
		Meaning: "Events that the record does not have.", Formula: "The sum of dropped over the notes.",
		of: func(s *state) reading { return reading{float64(s.dropped), 1} },
	},
}

func growth(name string, u Unit, what, formula string, of func(*history.Sample) int64) Metric {
	return Metric{
		Name: name, Unit: u, Live: true, Signed: true, Meaning: "Growth: " + what + ".",
		Formula: formula + " in the last sample before the stage stop less that in the last sample before the stage chaos.",
		of:      func(s *state) reading { return s.growth(of) },
	}
}

package check

import (
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// leftMetrics are what a look from outside shows: what was left behind, and what grew.
var leftMetrics = []Metric{
	{
		Name: "processes.orphaned", Unit: Count,
		Meaning: "Processes of the target left at the end that are no member's.",
		Formula: "Orphans in the last sample, of the stage verify or stop.",
		of:      (*state).OrphansLeft,
	},
	{
		Name: "processes.orphaned.time", Unit: Seconds, Live: true, Lasting: true,
		Meaning: "Longest time that there were such processes.",
		Formula: "The longest run of samples with orphans, from the first of them to the sample after the last; +Inf " +
			"if there are some in the last sample of a run that came to its end, up to now until then.",
		of:   (*state).OrphanTime,
		calm: (*state).CalmOrphanTime,
	},
	{
		Name: "processes.left", Unit: Count,
		Meaning: "Processes of the target that came with the faults and stayed, though they are no member's, whoever " +
			"has adopted them.",
		Formula: "Processes that descend from no member, the target's parent not counted, in the last sample of the " +
			"stage verify, less those in the last sample before the stage chaos.",
		of: (*state).LeftBehind,
	},
	{
		Name: "processes.zombies", Unit: Count,
		Meaning: "Dead processes of the target that nobody reaped.",
		Formula: "Zombies in the last sample, of the stage verify or stop.",
		of:      func(s *state) ledger.Reading { return s.LeftAtEnd(func(e *history.Sample) int { return e.Zombies }) },
	},
	{
		Name: "cgroups.leaked", Unit: Count,
		Meaning: "Control groups of the target left behind.",
		Formula: "Those of the last sample (verify or stop) beyond what the members at that time account for at the " +
			"rate of the last sample before the stage chaos; all of them once no members are wanted.",
		of: (*state).CgroupsLeaked,
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
		of: func(s *state) ledger.Reading { return s.Most(s.Looks.ParentMax) },
	},
	{
		Name: "memory.members.max", Unit: Bytes, Live: true, Lasting: true,
		Meaning: "Most resident memory of all members.", Formula: "The largest such figure of a sample.",
		of: func(s *state) ledger.Reading { return s.Most(s.Looks.MembersMax) },
	},
	{
		Name: "memory.member.max", Unit: Bytes, Live: true, Lasting: true,
		Meaning: "Most resident memory of one member that ended.", Formula: "The largest max_rss of an exit.",
		of: func(s *state) ledger.Reading { return s.Most(s.Members.MaxRSS) },
	},
}

// hostMetrics are about the host, and about the record.
var hostMetrics = slices.Concat([]Metric{
	{
		Name: "host.oom", Unit: Count, Live: true, Aside: true,
		Meaning: "Processes that the kernel killed for memory beside the victims.",
		Formula: "The growth of oom_kill over the samples, of the memory cgroup that the members without one of " +
			"their own are in; of the host, less the victims' own, where there is none.",
		of: (*state).HostOOM,
	},
	{
		Name: "host.starved", Unit: Seconds, Live: true, Aside: true,
		Meaning: "Time for which the host had too little CPU time for the harness and the target.",
		Formula: "The sum of the looks at the host that show it starved: see docs/chaos.md.",
		of: func(s *state) ledger.Reading {
			return ledger.Reading{Value: s.Host.UpTo(ledger.Endless).Seconds(), Samples: s.Host.Looks}
		},
	},
	hostShare("others", "of the CPU time that other processes took",
		"The CPU time of others by that of all CPUs that the harness may run on.",
		func(h *ledger.HostSums) (part, of float64) { return h.Others.Seconds(), h.All.Seconds() }),
	hostShare("own", "of the CPU time that the harness and the target took",
		"Their CPU time, and that of what descends from them, by that of all CPUs that the harness may run on.",
		func(h *ledger.HostSums) (part, of float64) { return h.Own.Seconds(), h.All.Seconds() }),
	hostShare("steal", "of the CPU time that other machines took",
		"Stolen time, and time for which this machine stood still, by that of all CPUs that the harness may run on.",
		func(h *ledger.HostSums) (part, of float64) { return h.Stolen.Seconds(), h.All.Seconds() }),
	hostShare("pressure.cpu", "of the time for which some task waited for a CPU",
		"The growth of the total of some, of the harness's own group (cgroup version 2) or of the system, by time.",
		func(h *ledger.HostSums) (part, of float64) { return h.Pressure.Seconds(), h.Told.Seconds() }),
	hostShare("throttled", "of the periods in which a limit on CPU time stopped the harness's group",
		"nr_throttled by nr_periods of the group, of it and those above it, that was stopped most.",
		func(h *ledger.HostSums) (part, of float64) { return float64(h.Throttled), float64(h.Periods) }),
	{
		Name: "host.floor.change", Unit: Ratio, Live: true, Aside: true,
		Meaning: "The floor of a process's start after the run as a share of that before.",
		Formula: "floor.spawn, measured once more when the target is gone, by floor.spawn.",
		of:      (*state).FloorChange,
	},
}, aside(distribution("host.lateness", "how late a sleep of 10ms ended in the harness",
	"by how much later than it should a goroutine woke that only sleeps again and again",
	func(s *state) ledger.View { return s.Host.Late.Now() })),
	[]Metric{
		{
			Name: "events.dropped", Unit: Count, Live: true, Aside: true,
			Meaning: "Events that the record does not have.", Formula: "The sum of dropped over the notes.",
			of: func(s *state) ledger.Reading { return ledger.Reading{Value: float64(s.Dropped), Samples: 1} },
		},
	},
)

func hostShare(end, what, formula string, of func(*ledger.HostSums) (part, of float64)) Metric {
	return Metric{
		Name: "host." + end, Unit: Ratio, Live: true, Aside: true, Meaning: "Share " + what + ".", Formula: formula,
		of: func(s *state) ledger.Reading {
			part, all := of(&s.Host.Sums)
			if all == 0 {
				return ledger.Reading{}
			}
			return ledger.Reading{Value: part / all, Samples: s.Host.Looks}
		},
	}
}

func growth(name string, u Unit, what, formula string, of func(*history.Sample) int64) Metric {
	return Metric{
		Name: name, Unit: u, Live: true, Signed: true, Meaning: "Growth: " + what + ".",
		Formula: formula +
			" in the last sample before the stage stop less that in the last sample before the stage chaos.",
		of: func(s *state) ledger.Reading { return s.Growth(of) },
	}
}

package check

// hostMetrics are what a look from outside shows: what was left behind, and what grew.
var hostMetrics = []Metric{
	{
		Name: "processes.orphaned", Unit: Count,
		Meaning: "Processes of the target left at the end that are no member's.",
		Formula: "Orphans in the last sample, of the stage verify or stop.",
	},
	{
		Name: "processes.orphaned.time", Unit: Seconds, Live: true,
		Meaning: "Longest time that there were such processes.",
		Formula: "The longest run of samples with orphans, from the first of them to the sample after the last; +Inf if there are some in the last sample.",
	},
	{
		Name: "processes.zombies", Unit: Count,
		Meaning: "Dead processes of the target that nobody reaped.",
		Formula: "Zombies in the last sample, of the stage verify or stop.",
	},
	{
		Name: "cgroups.leaked", Unit: Count,
		Meaning: "Control groups of the target left behind.",
		Formula: "Those of the last sample (verify or stop) beyond what the members at that time account for at the " +
			"rate of the first sample of the stage steady; all of them once no members are wanted.",
	},
	growth("fds.growth", Count, "File descriptors of the target's process", "Its open descriptors"),
	growth("goroutines.growth", Count, "Goroutines of the target's process", "Its goroutines"),
	growth("memory.growth", Bytes, "Resident memory of the target's process", "Its resident set"),
	growth("memory.members.growth", Bytes, "Resident memory of all members", "The sum of their resident sets"),
	{
		Name: "memory.parent.max", Unit: Bytes, Live: true,
		Meaning: "Most resident memory of the target's process.", Formula: "The largest such figure of a sample.",
	},
	{
		Name: "memory.members.max", Unit: Bytes, Live: true,
		Meaning: "Most resident memory of all members.", Formula: "The largest such figure of a sample.",
	},
	{
		Name: "memory.member.max", Unit: Bytes, Live: true,
		Meaning: "Most resident memory of one member that ended.", Formula: "The largest max_rss of an exit.",
	},
	{
		Name: "host.oom", Unit: Count, Live: true, Aside: true,
		Meaning: "Processes that the kernel killed for memory beside the victims.",
		Formula: "The growth of the enclosing oom_kill counter over the samples, the victims' own not counted.",
	},
	{
		Name: "events.dropped", Unit: Count, Live: true, Aside: true,
		Meaning: "Events that the record does not have.", Formula: "The sum of dropped over the notes.",
	},
}

func growth(name string, u Unit, what, of string) Metric {
	return Metric{
		Name: name, Unit: u, Live: true, Signed: true, Meaning: "Growth: " + what + ".",
		Formula: of + " in the last sample before the stage stop less that in the last sample before the stage chaos.",
	}
}

package check

// memberMetrics are about the members' lives: who started, who ended, and of what.
var memberMetrics = []Metric{
	{
		Name: "pids.turnover", Unit: Count, Live: true,
		Meaning: "Members that are new since the first fault.",
		Formula: "Pids that became ready from the stage chaos on, before the stage stop.",
	},
	exits("total", "that ended", "Exits before the stage stop."),
	exits("replaced", "that were ready, ended, and were followed in their slot",
		"Exits of members that had been ready and whose slot had another ready member later."),
	{
		Name: "exits.unexplained", Unit: Count, Live: true,
		Meaning: "Deaths that nobody caused.",
		Formula: "Exits before the stage stop for which the target gives no reason of its own, of pids that no " +
			"injected fault was aimed at.",
	},
	{
		Name: "exits.collateral", Unit: Count, Live: true,
		Meaning: "Survivors that lost their pid: ended by the target though no fault was aimed at them.",
		Formula: "Exits before the stage stop for which the target gives a reason of its own (recycle, restart, stop, …), " +
			"of pids that no injected fault was aimed at.",
	},
	exits("crashed", "that crashed", "Exits that the target classifies so, or with another code or signal than these."),
	exits("oom", "that ran out of memory", "Exits that the target classifies so."),
	exits("killed", "that were killed from outside", "Exits that the target classifies so; SIGKILL or SIGTERM if it does not classify."),
	exits("clean", "that ended with code 0 after they were asked to", "Exits that the target classifies so; code 0 if it does not classify."),
	exits("ours", "that the target killed", "Exits that the target classifies so."),
	exits("unknown", "whose end nobody saw", "Exits that the target classifies so."),
	exits("recycled", "that the target recycled", "Exits for the target's reason recycle."),
	exits("stalled", "that the target ended because they did not move", "Exits for the target's reason stall."),
	exits("timed_out", "that the target ended because their task took too long", "Exits for the target's reason timeout."),
	{
		Name: "starts.count", Unit: Count, Live: true,
		Meaning: "Members that were started.",
		Formula: "Started members from the stage chaos on, before the stage stop.",
	},
	{
		Name: "starts.failed", Unit: Count, Live: true,
		Meaning: "Members that did not come up.",
		Formula: "The target's boot-failed events.",
	},
	{
		Name: "starts.max_concurrent", Unit: Count, Live: true,
		Meaning: "Most members starting at once.",
		Formula: "The largest number of pids started and neither ready nor ended yet, from the stage chaos on.",
	},
	{
		Name: "members.quarantined", Unit: Count, Live: true,
		Meaning: "Members that could not be reaped.",
		Formula: "The target's quarantined events.",
	},
	{
		Name: "breaker.opened", Unit: Count, Live: true,
		Meaning: "Times that the target gave up starting members.",
		Formula: "The target's breaker-opened events.",
	},
	{
		Name: "breaker.closed", Unit: Count, Live: true,
		Meaning: "Times that the target began to start members again.",
		Formula: "The target's breaker-closed events.",
	},
}

func exits(end, what, formula string) Metric {
	return Metric{Name: "exits." + end, Unit: Count, Live: true, Meaning: "Members " + what + ".", Formula: formula}
}

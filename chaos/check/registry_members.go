package check

import "github.com/respawn-go/respawn/chaos/ledger"

// memberMetrics are about the members' lives: who started, who ended, and of what.
var memberMetrics = []Metric{
	{
		Name: "pids.turnover", Unit: Count, Live: true,
		Meaning: "Members that are new since the first fault.",
		Formula: "Pids that became ready from the stage chaos on, before the stage stop.",
		of:      func(s *state) ledger.Reading { return s.Told(s.Members.Turnover) },
	},
	exits("total", "that ended", "Exits before the stage stop.", thatAre(func(*ledger.Exit) bool { return true })),
	exits("replaced", "that were ready, ended, and were followed in their slot",
		"Exits of members that had been ready and whose slot had another ready member later, from the stage chaos on.",
		func(s *state) ledger.Reading { return s.Told(s.Members.Replaced) }),
	{
		Name: "exits.unexplained", Unit: Count, Live: true, Lasting: true,
		Meaning: "Deaths that nobody caused.",
		Formula: "Exits before the stage stop for which the target gives no reason of its own and that no injection " +
			"explains, without those of exits.scaled_down: see docs/chaos.md.",
		of: func(s *state) ledger.Reading { return s.ExitsThat(s.Unexplained) },
	},
	exits("scaled_down", "that the target ended to have fewer",
		"Exits that neither the target's reason nor an injection explains, of a target whose size is a range, "+
			"that are not known to be crashes: of code 0, of SIGTERM, SIGINT, SIGQUIT or SIGHUP, or nobody "+
			"saw of what.",
		func(s *state) ledger.Reading {
			if !s.Ranged() {
				return ledger.Reading{}
			}
			return s.ExitsThat(s.ScaledDown)
		}),
	{
		Name: "exits.collateral", Unit: Count, Live: true, Lasting: true,
		Meaning: "Survivors that lost their pid: ended by the target though no fault was aimed at them.",
		Formula: "Exits before the stage stop for which the target gives a reason of its own (recycle, restart, " +
			"stop, …) and that no injection explains: see docs/chaos.md.",
		of: func(s *state) ledger.Reading { return s.ExitsThat(s.Collateral) },
	},
	exits("unlisted", "that a signal ended before they were listed",
		"The target's unlisted events, from the stage chaos on: siblings of members, of whose births and deaths the "+
			"kernel told; no data where it does not.",
		func(s *state) ledger.Reading {
			if !s.Can("forks") {
				return ledger.Reading{}
			}
			return s.Told(s.Members.Unlisted)
		}),
	{
		Name: "members.listing_gap", Unit: Seconds,
		Meaning: "Longest time between two listings of the members: of one that lived no longer than that, nobody " +
			"but the kernel can tell.",
		Formula: "From when one listing was asked for until the next one was answered, the longest since the stage " +
			"chaos; where members come from listings.",
		of: func(s *state) ledger.Reading { return s.Evidence.Gap() },
	},
	exits("crashed", "that crashed", "Exits that the target classifies so, or with another code or signal than these.",
		ofKind("crashed")),
	exits("oom", "that ran out of memory", "Exits that the target classifies so.", ofKind("oom")),
	exits("killed", "that were killed from outside",
		"Exits that the target classifies so; SIGKILL or SIGTERM if it does not classify.", ofKind("killed")),
	exits("clean", "that ended with code 0 after they were asked to",
		"Exits that the target classifies so; code 0 if it does not classify.", ofKind("clean")),
	exits("ours", "that the target killed", "Exits that the target classifies so.", ofKind("ours")),
	exits("unknown", "whose end nobody saw", "Exits that the target classifies so.", ofKind("unknown")),
	exits("recycled", "that the target recycled", "Exits for the target's reason recycle.", forReason("recycle")),
	exits("stalled", "that the target ended because they did not move",
		"Exits for the target's reason stall.", forReason("stall")),
	exits("timed_out", "that the target ended because their task took too long",
		"Exits for the target's reason timeout.", forReason("timeout")),
	{
		Name: "starts.count", Unit: Count, Live: true, Lasting: true,
		Meaning: "Members that were started.",
		Formula: "Started members from the stage chaos on, before the stage stop.",
		of:      func(s *state) ledger.Reading { return s.Told(s.Members.Starts) },
	},
	{
		Name: "starts.failed", Unit: Count, Live: true, Lasting: true,
		Meaning: "Members that did not come up.",
		Formula: "The target's boot-failed events.",
		of:      func(s *state) ledger.Reading { return s.Told(s.Members.BootsFailed) },
	},
	{
		Name: "starts.max_concurrent", Unit: Count, Live: true, Lasting: true,
		Meaning: "Most members starting at once.",
		Formula: "The largest number of pids started and neither ready nor ended yet, from the stage chaos on.",
		of:      func(s *state) ledger.Reading { return s.Told(s.Members.MostStarting()) },
	},
	{
		Name: "members.quarantined", Unit: Count, Live: true, Lasting: true,
		Meaning: "Members that could not be reaped.",
		Formula: "The target's quarantined events.",
		of:      func(s *state) ledger.Reading { return s.Told(s.Members.Quarantined) },
	},
	{
		Name: "breaker.opened", Unit: Count, Live: true, Lasting: true,
		Meaning: "Times that the target gave up starting members.",
		Formula: "The target's breaker-opened events.",
		of:      func(s *state) ledger.Reading { return s.Told(s.Members.Opened) },
	},
	{
		Name: "breaker.closed", Unit: Count, Live: true,
		Meaning: "Times that the target began to start members again.",
		Formula: "The target's breaker-closed events.",
		of:      func(s *state) ledger.Reading { return s.Told(s.Members.Closed) },
	},
}

func exits(end, what, formula string, of func(*state) ledger.Reading) Metric {
	return Metric{
		Name: "exits." + end, Unit: Count, Live: true, Lasting: true,
		Meaning: "Members " + what + ".", Formula: formula, of: of,
	}
}

func thatAre(is func(*ledger.Exit) bool) func(*state) ledger.Reading {
	return func(s *state) ledger.Reading { return s.ExitsThat(is) }
}

func ofKind(kind string) func(*state) ledger.Reading {
	return thatAre(func(x *ledger.Exit) bool { return x.Kind() == kind })
}

func forReason(reason string) func(*state) ledger.Reading {
	return thatAre(func(x *ledger.Exit) bool { return x.Reason == reason })
}

package check

import (
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// poolMetrics are about the pool as a whole: is it there, and how long was it not.
var poolMetrics = slices.Concat([]Metric{
	{
		Name: "pool.ready", Unit: Count, Live: true,
		Meaning: "Members ready for work at the last look.",
		Formula: "Of the last sample, the smaller of what the target says is ready and what /proc shows alive.",
		of:      func(s *state) ledger.Reading { return s.Looked(ledger.ReadyIn) },
	},
	{
		Name: "pool.ready.min", Unit: Count, Live: true,
		Meaning: "Fewest members ready at once, from the first fault to the end of settling.",
		Formula: "The smallest pool.ready of the stages chaos and settle, or of the number wanted less the slots " +
			"that are down by the events.",
		of:   (*state).ReadyMin,
		calm: (*state).CalmMin,
	},
	{
		Name: "pool.size", Unit: Count, Live: true,
		Meaning: "Member processes at the last look.",
		Formula: "Pids of members that are alive by /proc in the last sample.",
		of:      func(s *state) ledger.Reading { return s.Looked(func(e *history.Sample) int { return e.Alive }) },
	},
	{
		Name: "pool.want", Unit: Count, Live: true,
		Meaning: "Members that there should be.",
		Formula: "The wanted size in the last sample.",
		of:      func(s *state) ledger.Reading { return s.Looked(func(e *history.Sample) int { return e.Want }) },
	},
	{
		Name: "pool.missing", Unit: Count,
		Meaning: "Members that were not back when the faults were over.",
		Formula: "The smallest pool.want less pool.ready of the samples of the stages settle and verify, as long as " +
			"settle allows.",
		of: func(s *state) ledger.Reading { return ledger.Count(s.Looks.Missing, s.Looks.Calm) },
	},
	{
		Name: "pool.surplus", Unit: Count,
		Meaning: "Members beyond the most that there may be, when the faults were over.",
		Formula: "The smallest pool.ready less the most of the samples of the stages settle and verify, as long as " +
			"settle allows; of a target whose size is a range.",
		of: func(s *state) ledger.Reading {
			if !s.Ranged() {
				return ledger.Reading{}
			}
			return ledger.Count(s.Looks.Surplus, s.Looks.Calm)
		},
	},
	{
		Name: "pool.below.total", Unit: Seconds, Live: true,
		Meaning: "Time in all with fewer members ready than wanted.",
		Formula: "The sum of the intervals of pool.below; +Inf if one is.",
		of:      func(s *state) ledger.Reading { return ledger.Reading{Value: s.Pool().Total, Samples: s.Looks.N} },
		calm: func(s *state) ledger.Reading {
			return ledger.Reading{Value: s.Pool().Below.Calm(&s.Host).Sum, Samples: s.Looks.N}
		},
	},
},
	calm(distribution("pool.below", "the intervals with fewer members ready than wanted",
		"from a member's exit or confirmed death that takes the ready members below the wanted number until they are "+
			"all ready again, or up to now, from the stage chaos on; not of slots that a resize or a close has given "+
			"up; +Inf if that did not happen before the stage stop of a run that came to its end; max is 0 if there "+
			"was none", func(s *state) ledger.View { return s.Pool().Below.Now() })),
	distribution("pool.recovery", "the times from a confirmed death until the pool was whole again",
		"from the death that a receipt proves until as many members are ready as are wanted, or up to now; "+
			"+Inf if never",
		func(s *state) ledger.View { return s.Pool().Recover.Now() }),
	takes(distribution("slot.recovery", "the times from a confirmed death until its slot was of use again",
		"from the death that a receipt proves until that slot's replacement is ready and has answered a probe, or up "+
			"to now; +Inf for a slot that did not come back; none for a slot that is no longer wanted",
		(*state).Recovering)),
	[]Metric{{
		Name: "settle.time", Unit: Seconds, Live: true, Lasting: true,
		Meaning: "Time after the faults in which the target recovered.",
		Formula: "For the deaths that receipts prove, the later of two: from the end of the last injection until as " +
			"many members were ready as are wanted; from the stage settle, which begins when a load of a given " +
			"number of tasks is over too, until the slots were of use again. Up to now while that has not come; what " +
			"never comes is slots.lost and pool.missing.",
		of:   (*state).SettleTime,
		calm: (*state).CalmSettleTime,
	}},
)

// takes marks times as ones that are never 0.
func takes(ms []Metric) []Metric {
	for i := range ms {
		ms[i].Takes = ms[i].Unit == Seconds
	}
	return ms
}

// calm makes the longest of no intervals at all 0: that there was none is what the samples say.
func calm(ms []Metric) []Metric {
	longest := &ms[len(ms)-1]
	of := longest.of
	longest.of = func(s *state) ledger.Reading {
		if r := of(s); r.Samples > 0 {
			return r
		}
		return ledger.Count(0, s.Looks.N)
	}
	return ms
}

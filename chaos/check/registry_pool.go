package check

import "slices"

// poolMetrics are about the pool as a whole: is it there, and how long was it not.
var poolMetrics = slices.Concat([]Metric{
	{
		Name: "pool.ready", Unit: Count, Live: true,
		Meaning: "Members ready for work at the last look.",
		Formula: "Of the last sample, the smaller of what the target says is ready and what /proc shows alive.",
	},
	{
		Name: "pool.ready.min", Unit: Count, Live: true,
		Meaning: "Fewest members ready at once, from the first fault to the end of settling.",
		Formula: "The smallest pool.ready of the stages chaos and settle.",
	},
	{
		Name: "pool.size", Unit: Count, Live: true,
		Meaning: "Member processes at the last look.",
		Formula: "Pids of members that are alive by /proc in the last sample.",
	},
	{
		Name: "pool.want", Unit: Count, Live: true,
		Meaning: "Members that there should be.",
		Formula: "The wanted size in the last sample.",
	},
	{
		Name: "pool.below.total", Unit: Seconds, Live: true,
		Meaning: "Time in all with fewer members ready than wanted.",
		Formula: "The sum of the intervals of pool.below; +Inf if the last did not end.",
	},
},
	distribution("pool.below", "the intervals with fewer members ready than wanted",
		"from a member's exit or confirmed death that takes the ready members below the wanted number until they are "+
			"all ready again, in the stages chaos and settle; +Inf if that did not happen by the end of settling; "+
			"max is 0 if there was none"),
	distribution("pool.recovery", "the times from a confirmed death until the pool was whole again",
		"from the death that a receipt proves until as many members are ready as are wanted; +Inf if never"),
	distribution("slot.recovery", "the times from a confirmed death until its slot was of use again",
		"from the death that a receipt proves until that slot's replacement is ready and has answered a probe; +Inf "+
			"for a slot that did not come back; none for a slot that is no longer wanted"),
)

package check

import (
	"slices"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// faultMetrics are about the injections, and whether the slots answer after them.
var faultMetrics = slices.Concat([]Metric{
	injections("planned", "that were planned", "Planned records.",
		func(s *state) ledger.Reading { return s.CountOf(s.Injections.Planned) }),
	injections("injected", "that were begun", "Injected records.",
		func(s *state) ledger.Reading { return s.CountOf(s.Begun()) }),
	injections("confirmed", "that evidence proves",
		"Outcomes confirmed; in require, those of that entry of the chaos list.",
		func(s *state) ledger.Reading { return s.FaultsThat("confirmed") }),
	injections("already_gone", "whose victim was gone before", "Outcomes already_gone.",
		func(s *state) ledger.Reading { return s.FaultsThat("already_gone") }),
	injections("refused", "that could not be done, or not safely", "Outcomes refused.",
		func(s *state) ledger.Reading { return s.FaultsThat("refused") }),
	injections("unconfirmed", "without evidence", "Outcomes unconfirmed.",
		func(s *state) ledger.Reading { return s.FaultsThat("unconfirmed") }),
	injections("missed", "that did not meet their phase", "Outcomes missed.",
		func(s *state) ledger.Reading { return s.FaultsThat("missed") }),
	injections("fatal", "that ended their victim, by the evidence", "Outcomes confirmed that are marked fatal.",
		func(s *state) ledger.Reading { return s.CountOf(s.Injections.Fatal) }),
	injections("healed", "that were undone", "Healed records.",
		func(s *state) ledger.Reading { return s.CountOf(s.Injections.Healed) }),
	injections("heal_failed", "that could not be undone", "Records heal-failed.",
		func(s *state) ledger.Reading { return s.CountOf(len(s.Injections.Unhealed)) }),
},
	distribution("faults.effect", "the times from an injection to its effect",
		"from an injected record to the time that a confirmed receipt gives for the effect; an operation's duration",
		func(s *state) ledger.View { return s.Injections.Effect.Now() }),
	late(distribution("faults.detection",
		"the times from an injection to the end of its victim as the target reports it",
		"from an injected record to the victim's exit",
		func(s *state) ledger.View { return s.Injections.Detection.Now() })),
	aside(distribution("faults.lag", "the delays of injections against the plan",
		"from when the plan wanted an injection to its injected record",
		func(s *state) ledger.View { return s.Injections.Lag.Now() })),
	[]Metric{
		{
			Name: "probes.answered", Unit: Count, Live: true,
			Meaning: "Probe tasks that were answered right.", Formula: "Probe records answered.",
			of: func(s *state) ledger.Reading {
				return ledger.Count(s.Probes.Answered, s.Probes.Answered+s.Probes.Failed)
			},
		},
		{
			Name: "probes.failed", Unit: Count, Live: true,
			Meaning: "Probe tasks that were not.", Formula: "Probe records failed.",
			of: func(s *state) ledger.Reading {
				return ledger.Count(s.Probes.Failed, s.Probes.Answered+s.Probes.Failed)
			},
		},
		{
			Name: "slots.answering", Unit: Count,
			Meaning: "Slots that answered the probe at the end.",
			Formula: "Distinct pids that answered the probes of the stage verify, one for each slot; that of a " +
				"process of which a receipt shows that it had ended is none, nor that of one which never was ready " +
				"in the slot.",
			of: (*state).Answering,
		},
		{
			Name: "slots.silent", Unit: Count,
			Meaning: "Slots that did not answer the probe at the end.",
			Formula: "pool.want less slots.answering.",
			of:      (*state).Silent,
		},
		{
			Name: "slots.together", Unit: Count,
			Meaning: "Slots that were at work at the same time at the end.",
			Formula: "Of the tasks sent to all slots at once in the stage verify, the most different members that " +
				"must have been at work on one at one moment: by the witnessed executions, less as much at either " +
				"end as they took beyond the task's length, of processes that were listed when they began; without a " +
				"witness, by the times at which the answers came and the tasks' lengths.",
			of: (*state).AtWorkTogether,
		},
		{
			Name: "slots.together.between", Unit: Count,
			Meaning: "Fewest slots that were at work at the same time between a recovery and the next fault.",
			Formula: "Of each time without a fault and without a death that is not recovered from, as long as five " +
				"tasks of the load and 50 ms at least, the most different processes that must have been at work on " +
				"a task of the load at one moment: by the witnessed executions, of which only the part counts that " +
				"one of a task of known length cannot have waited in, of processes that were not told to retire when " +
				"they began; of these the least. Only under a load of as many tasks at a time as there are slots.",
			of:   (*state).TogetherBetween,
			calm: (*state).CalmTogetherBetween,
		},
		{
			Name: "slots.apart", Unit: Count,
			Meaning: "Slots that were not at work at the same time as the others at the end.",
			Formula: "pool.want less slots.together.",
			of:      (*state).Apart,
			calm:    (*state).CalmApart,
		},
		{
			Name: "slots.slow", Unit: Count,
			Meaning: "Members that took far longer over short tasks at the end than members did before the faults.",
			Formula: "Members whose slots.answer.after is over the sum of 100 ms and five times what half of the " +
				"members took at most before the faults, as slots.answer.before; of the latter, what a starved host " +
				"took counts for nothing.",
			of:   (*state).SlowMembers,
			calm: (*state).CalmSlowMembers,
		},
		{
			Name: "slots.answer.before", Unit: Seconds,
			Meaning: "Time that the slowest member took over a short task before the faults, beyond the task's length.",
			Formula: "Of the tasks sent to all slots at once after the boot, from sent to answered less the length; " +
				"of each member the shortest, of these the longest.",
			of: func(s *state) ledger.Reading { return s.AnswerTime(0) },
		},
		{
			Name: "slots.answer.after", Unit: Seconds,
			Meaning: "Time that the slowest member took over a short task at the end, beyond the task's length.",
			Formula: "The same of the stage verify.",
			of:      func(s *state) ledger.Reading { return s.AnswerTime(1) },
		},
		{
			Name: "slots.throttled", Unit: Count,
			Meaning: "Slots' worth of its throughput that the target did not have again at the end.",
			Formula: "The throughput of the queue before the faults by the best of its first answers, half of them " +
				"at least, without what a starved host took, and at most pool.want, less slots.throughput.after, " +
				"rounded up, where the latter is under half of the former. Pool.want stands for the former where " +
				"the host was starved for nearly all of each queue, or less than half of each was answered.",
			of:   (*state).Throttled,
			calm: (*state).CalmThrottled,
		},
		{
			Name: "slots.throughput.before", Unit: Count,
			Meaning: "How many tasks of a queue were done at a time before the faults.",
			Formula: "Of the queues of four tasks for each slot that were sent after the boot, the best: the tasks' " +
				"lengths in all by the time from the first one sent to the last one answered.",
			of: func(s *state) ledger.Reading { return s.QueuePace(0) },
		},
		{
			Name: "slots.throughput.after", Unit: Count,
			Meaning: "How many tasks of a queue were done at a time at the end.",
			Formula: "The same of the stage verify.",
			of:      func(s *state) ledger.Reading { return s.QueuePace(1) },
		},
		{
			Name: "slots.throughput.regained", Unit: Ratio,
			Meaning: "Throughput of the slots at the end as a share of that before the faults.",
			Formula: "slots.throughput.after by slots.throughput.before, of either at most pool.want.",
			of:      (*state).Regained,
		},
		{
			Name: "slots.lost", Unit: Count,
			Meaning: "Deaths from which the slot did not come back.",
			Formula: "The samples of slot.recovery that are +Inf.",
			of: func(s *state) ledger.Reading {
				return ledger.Count(s.Slots.Lost, max(1, len(s.Slots.Recover.Samples)))
			},
		},
	},
)

func injections(end, what, formula string, of func(*state) ledger.Reading) Metric {
	return Metric{
		Name: "faults." + end, Unit: Count, Live: true, Meaning: "Injections " + what + ".", Formula: formula, of: of,
	}
}

// aside marks metrics as those of the harness.
func aside(ms []Metric) []Metric {
	for i := range ms {
		ms[i].Aside = true
	}
	return ms
}

// late marks metrics as known only at the end.
func late(ms []Metric) []Metric {
	for i := range ms {
		ms[i].Live = false
	}
	return ms
}

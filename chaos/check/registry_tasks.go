package check

import (
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// taskMetrics are about the work: the account of the submitter beside that of the tasks themselves.
var taskMetrics = slices.Concat([]Metric{
	tasks("submitted", "that were submitted", "Distinct ids of submitted tasks.",
		func(s *state) ledger.Reading { return s.SubmittedTasks(s.Load.Count) }),
	tasks("settled", "that ended for their submitter, in whichever way",
		"Distinct ids of settled tasks, those hung not counted.",
		func(s *state) ledger.Reading { return s.SubmittedTasks(s.Tasks.Settled) }),
	tasks("ok", "that gave the right value", "Ids whose first outcome is ok.",
		func(s *state) ledger.Reading { return s.TasksThat(history.OK) }),
	tasks("failed", "that ended with an error", "Ids whose first outcome is failed.",
		func(s *state) ledger.Reading { return s.TasksThat(history.Failed) }),
	tasks("wrong", "that gave a wrong value", "Ids with any outcome wrong.",
		func(s *state) ledger.Reading { return s.SubmittedTasks(s.Tasks.Wrong) }),
	tasks("lost", "that were lost with their worker, or never heard of again; those that hang are in tasks.hung, and "+
		"both in tasks.unsettled",
		"Ids whose first outcome is lost, and, if the run came to its end, those that were submitted and have none.",
		func(s *state) ledger.Reading { return s.LostTasks() }),
	tasks("hung", "that had no outcome by the end of the run", "Ids whose first outcome is hung.",
		func(s *state) ledger.Reading { return s.TasksThat(history.Hung) }),
	tasks("unsettled", "that did not end: lost, hung, or never heard of again", "tasks.lost and tasks.hung.",
		func(s *state) ledger.Reading {
			return s.SubmittedTasks(int(s.LostTasks().Value) + s.Tasks.Outcomes[history.Hung])
		}),
	unsettled("prefix", "before the first that gave its value", 0),
	unsettled("middle", "between two that gave their values: others that came later had theirs", 1),
	unsettled("postfix", "behind the last that gave its value: with more time they might have, too", 2),
	tasks("rejected", "that were not accepted", "Ids whose first outcome is rejected.",
		func(s *state) ledger.Reading { return s.TasksThat(history.Rejected) }),
	{
		Name: "tasks.duplicated", Unit: Count, Lasting: true,
		Meaning: "Tasks that ended or ran more often than there is a reason for.",
		Formula: "Ids that settled twice, or had a second answer by the target's answered-twice events, or that ran, " +
			"as witnessed, more often than once and once again for each execution whose process died before the task " +
			"was settled.",
		of: func(s *state) ledger.Reading {
			return ledger.Count(s.Tasks.Sums.Duplicated, max(s.Load.Count, s.Tasks.Sums.Duplicated))
		},
	},
	{
		Name: "tasks.retried", Unit: Count, Lasting: true,
		Meaning: "Tasks that ran more than once.",
		Formula: "Ids with several witnessed executions; without a witness, several attempts by the target's word.",
		of:      func(s *state) ledger.Reading { return s.SubmittedTasks(s.Tasks.Sums.Retried) },
	},
	{
		Name: "tasks.unwitnessed", Unit: Count,
		Meaning: "Tasks that gave the right value though no execution of theirs was seen.",
		Formula: "Ids with the outcome ok and no witnessed execution, where the target has a witness.",
		of:      func(s *state) ledger.Reading { return s.Unwitnessed() },
	},
	{
		Name: "tasks.early", Unit: Count, Lasting: true,
		Meaning: "Tasks that gave the right value before they can have been done.",
		Formula: "Ids whose first outcome is ok, with a latency below nine tenths of what a task of the load takes, " +
			"and more than a millisecond below it, where that is of sleeps; or before the end of any execution of " +
			"theirs that lasted so long, where every line of the witness is whole.",
		of: func(s *state) ledger.Reading { return s.Early() },
	},
	{
		Name: "tasks.outside", Unit: Count,
		Meaning: "Executions of tasks and probes by processes that were no members.",
		Formula: "Witnessed executions whose pid the target did not tell as a member's by then, or of one that had " +
			"ended, or that ended later than their member; where members come from listings, only if one was asked " +
			"for and answered between the first and the last execution by that process. A member that " +
			"listings leave out is one until it ends.",
		of: (*state).Outside,
	},
	{
		Name: "tasks.overlapping", Unit: Count,
		Meaning: "Executions of tasks and probes that began while another went on in the same process.",
		Formula: "Witnessed executions from the stage chaos on that began between the beginning and the end of " +
			"another by that pid; known where queues of tasks were sent before the faults.",
		of: (*state).Overlapping,
	},
	{
		Name: "tasks.executions.total", Unit: Count, Least: 1,
		Meaning: "Executions of tasks.",
		Formula: "Records of the tasks' own file.",
		of:      func(s *state) ledger.Reading { return s.Witnessed(float64(s.Tasks.Runs)) },
	},
	{
		Name: "tasks.executions.max", Unit: Count, Lasting: true, Least: 1,
		Meaning: "Most executions of one task.",
		Formula: "The largest number of witnessed executions of an id.",
		of:      func(s *state) ledger.Reading { return s.Witnessed(float64(s.Tasks.Sums.MostRuns)) },
	},
	{
		Name: "tasks.executions.mean", Unit: Count, Least: 1,
		Meaning: "Executions by the number of tasks that ran.",
		Formula: "Witnessed executions by the ids among them.",
		of: func(s *state) ledger.Reading {
			return s.Witnessed(float64(s.Tasks.Runs) / float64(max(1, s.Tasks.Sums.Ran)))
		},
	},
	{
		Name: "tasks.wall", Unit: Seconds, Live: true,
		Meaning: "Time from the first submission to the last outcome.",
		Formula: "The last settled record's time less the first submitted record's.",
		of:      (*state).Wall,
		calm:    (*state).CalmWall,
	},
	{
		Name: "tasks.throughput", Unit: PerSecond, Live: true,
		Meaning: "Tasks done per second: in steady and abort over the last second, else from the stage steady to the " +
			"end of settling.",
		Formula: "Outcomes ok by the time; a stage counts as ended with its last outcome if nothing was in flight " +
			"after it, and when the target, told to close, rejects one.",
		of:   func(s *state) ledger.Reading { return s.Throughput(0, 1, 2) },
		calm: func(s *state) ledger.Reading { return s.CalmThroughput(0, 1, 2) },
		now:  (*state).ThroughputNow,
	},
	rate("before", "before the first fault", "The same for the stage steady.", 0),
	rate("during", "during the faults", "The same for the stage chaos.", 1),
	rate("after", "after the faults", "The same for the stage settle.", 2),
	share("kept", "during", "during the faults", 1),
	share("regained", "after", "after the faults", 2),
},
	late(distribution("tasks.requeue", "the times for which a death left the tasks that it cut short",
		"from the end of a member, as told or proven, to the next witnessed execution of the task that it was "+
			"running; none for a task that did not run again",
		func(s *state) ledger.View { return s.Tasks.Requeue.Now() })),
	latency("", "all tasks that gave the right value", 0),
	latency(".before", "the tasks that ended in the stage steady", 1),
	latency(".during", "the tasks that ended in the stage chaos", 2),
	latency(".after", "the tasks that ended in the stage settle", 3),
	[]Metric{
		{
			Name: "broker.gap", Unit: Seconds, Live: true, Lasting: true,
			Meaning: "Longest time without an outcome from the first fault of a broker on.",
			Formula: "From one outcome ok to the next, or to when a task was given up as hung, or from " +
				"the submission of a task while none was in flight; the longest that ends after an injection whose " +
				"victim is a broker, or that takes the lead from one. By the submitter's clock.",
			of:   func(s *state) ledger.Reading { return s.BrokerGaps().Max() },
			calm: func(s *state) ledger.Reading { return s.BrokerGaps().Calm(&s.Host, s.Until()).Max() },
		},
		{
			Name: "load.achieved", Unit: Ratio, Live: true, Aside: true, Most: 1,
			Meaning: "How much of the stated load there really was.",
			Formula: "Of the tasks less those that the target rejected before it was told to close: of a count, the " +
				"share; else from the stage steady to the end of settling, or until the target, told to close, " +
				"rejects one, and at most all of it: of an open loop, submissions by rate and time; of a closed " +
				"loop, the mean number in flight by the concurrency.",
			of:   (*state).Achieved,
			calm: (*state).CalmAchieved,
		},
		{
			Name: "blame.bystanders", Unit: Count, Lasting: true,
			Meaning: "Tasks that were charged with a death that was not theirs.",
			Formula: "Ids whose outcome is lost though no witnessed execution of theirs was cut short by a death and " +
				"no fault had ended the parent, and requeued tasks that the target blames though its exit record " +
				"names another as running.",
			of: func(s *state) ledger.Reading { return s.Bystanders() },
		},
		{
			Name: "results.late", Unit: Count, Live: true, Lasting: true,
			Meaning: "Results that came for tasks settled before.",
			Formula: "The target's late and answered-twice events. The latter are in tasks.duplicated too.",
			of:      func(s *state) ledger.Reading { return s.Told(s.Members.LateResults) },
		},
		{
			Name: "results.misnamed", Unit: Count,
			Meaning: "Answers to tasks and probes that name another process than ran the task.",
			Formula: "Tasks with the outcome ok, and answered probing tasks, that have witnessed executions but none " +
				"by the pid that the answer names.",
			of: (*state).Misnamed,
		},
		{
			Name: "results.rejected", Unit: Count, Live: true, Lasting: true,
			Meaning: "Frames from members that no member should send, answers that are none, and answers that are " +
				"due and missing.",
			Formula: "The target's rejected events.",
			of:      func(s *state) ledger.Reading { return s.Told(s.Members.BadResults) },
		},
	},
)

func tasks(end, what, formula string, of func(*state) ledger.Reading) Metric {
	return Metric{
		Name: "tasks." + end, Unit: Count, Live: true, Lasting: end != "hung",
		Meaning: "Tasks " + what + ".", Formula: formula, of: of,
	}
}

func unsettled(end, where string, place int) Metric {
	return Metric{
		Name: "tasks.unsettled." + end, Unit: Count,
		Meaning: "Tasks that did not end and were submitted " + where + ".",
		Formula: "Of tasks.unsettled, by the lines of their submissions and those of the ids whose first outcome is " +
			"ok; where there is none of these, all are of the postfix.",
		of: func(s *state) ledger.Reading { return s.SubmittedTasks(s.Tasks.Sums.Unsettled[place]) },
	}
}

func rate(end, when, formula string, window int) Metric {
	return Metric{
		Name: "tasks.throughput." + end, Unit: PerSecond, Live: true,
		Meaning: "Tasks done per second " + when + ".", Formula: formula,
		of:   func(s *state) ledger.Reading { return s.Throughput(window) },
		calm: func(s *state) ledger.Reading { return s.CalmThroughput(window) },
	}
}

func share(end, of, when string, window int) Metric {
	return Metric{
		Name: "tasks.throughput." + end, Unit: Ratio, Live: true,
		Meaning: "Throughput " + when + " as a share of that before.",
		Formula: "tasks.throughput." + of + " by tasks.throughput.before.",
		of:      func(s *state) ledger.Reading { return ledger.Kept(s.Throughput(0), s.Throughput(window)) },
		calm:    func(s *state) ledger.Reading { return ledger.Kept(s.CalmThroughput(0), s.CalmThroughput(window)) },
	}
}

func latency(end, of string, window int) []Metric {
	return takes(distribution("tasks.latency"+end, "the latencies of "+of,
		"the latency that the submitter measured of a task with outcome ok; of one that hangs, or is in flight, how "+
			"long it has been waited for; warm-up not counted",
		func(s *state) ledger.View { return s.Latency(window) }))
}

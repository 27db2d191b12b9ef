package check

import "slices"

// taskMetrics are about the work: the account of the submitter beside that of the tasks themselves.
var taskMetrics = slices.Concat([]Metric{
	tasks("submitted", "that were submitted", "Distinct ids of submitted tasks."),
	tasks("settled", "that ended for their submitter, in whichever way", "Distinct ids of settled tasks, those hung not counted."),
	tasks("ok", "that gave the right value", "Ids whose first outcome is ok."),
	tasks("failed", "that ended with an error", "Ids whose first outcome is failed."),
	tasks("wrong", "that gave a wrong value", "Ids with any outcome wrong."),
	tasks("lost", "that nobody will hear of again", "Ids whose first outcome is lost, and, if the run came to its end, "+
		"those that were submitted and have none."),
	tasks("hung", "that had no outcome by the end of the run", "Ids whose first outcome is hung."),
	tasks("rejected", "that were not accepted", "Ids whose first outcome is rejected."),
	{
		Name: "tasks.duplicated", Unit: Count,
		Meaning: "Tasks that ended or ran more often than there is a reason for.",
		Formula: "Ids that settled twice, or that ran, as witnessed, more often than once and once again for each " +
			"execution whose process died before the task was settled.",
	},
	{
		Name: "tasks.retried", Unit: Count,
		Meaning: "Tasks that ran more than once.",
		Formula: "Ids with several witnessed executions; without a witness, several attempts by the target's word.",
	},
	{
		Name: "tasks.unwitnessed", Unit: Count,
		Meaning: "Tasks that gave the right value though no execution of theirs was seen.",
		Formula: "Ids with the outcome ok and no witnessed execution, where the target has a witness.",
	},
	{
		Name: "tasks.executions.total", Unit: Count,
		Meaning: "Executions of tasks.",
		Formula: "Records of the tasks' own file.",
	},
	{
		Name: "tasks.executions.max", Unit: Count,
		Meaning: "Most executions of one task.",
		Formula: "The largest number of witnessed executions of an id.",
	},
	{
		Name: "tasks.executions.mean", Unit: Count,
		Meaning: "Executions by the number of tasks that ran.",
		Formula: "Witnessed executions by the ids among them.",
	},
	{
		Name: "tasks.wall", Unit: Seconds, Live: true,
		Meaning: "Time from the first submission to the last outcome.",
		Formula: "The last settled record's time less the first submitted record's.",
	},
	{
		Name: "tasks.throughput", Unit: PerSecond, Live: true,
		Meaning: "Tasks done per second: in steady and abort over the last second, else from the stage steady to the end of settling.",
		Formula: "Outcomes ok by the time; a stage counts as ended with its last outcome if nothing was in flight after it.",
	},
	rate("before", "before the first fault", "The same for the stage steady."),
	rate("during", "during the faults", "The same for the stage chaos."),
	rate("after", "after the faults", "The same for the stage settle."),
	share("kept", "during", "during the faults"),
	share("regained", "after", "after the faults"),
},
	latency("", "all tasks that gave the right value"),
	latency(".before", "the tasks that ended in the stage steady"),
	latency(".during", "the tasks that ended in the stage chaos"),
	latency(".after", "the tasks that ended in the stage settle"),
	[]Metric{
		{
			Name: "load.achieved", Unit: Ratio, Live: true, Aside: true,
			Meaning: "How much of the stated load there really was.",
			Formula: "Of a count, the share submitted; of an open loop, submissions during the stage chaos by rate and time; " +
				"of a closed loop, the mean number in flight during the stage chaos by the concurrency.",
		},
		{
			Name: "blame.bystanders", Unit: Count,
			Meaning: "Tasks that were charged with a death that was not theirs.",
			Formula: "Ids whose outcome is lost though no witnessed execution of theirs was cut short by a death, and " +
				"requeued tasks that the target blames though its exit record names another as running.",
		},
		{
			Name: "results.late", Unit: Count, Live: true,
			Meaning: "Results that came for tasks settled before.",
			Formula: "The target's late events.",
		},
		{
			Name: "results.rejected", Unit: Count, Live: true,
			Meaning: "Frames from members that no member should send.",
			Formula: "The target's rejected events.",
		},
	},
)

func tasks(end, what, formula string) Metric {
	return Metric{Name: "tasks." + end, Unit: Count, Live: true, Meaning: "Tasks " + what + ".", Formula: formula}
}

func rate(end, when, formula string) Metric {
	return Metric{
		Name: "tasks.throughput." + end, Unit: PerSecond, Live: true,
		Meaning: "Tasks done per second " + when + ".", Formula: formula,
	}
}

func share(end, of, when string) Metric {
	return Metric{
		Name: "tasks.throughput." + end, Unit: Ratio, Live: true,
		Meaning: "Throughput " + when + " as a share of that before.",
		Formula: "tasks.throughput." + of + " by tasks.throughput.before.",
	}
}

func latency(end, of string) []Metric {
	return distribution("tasks.latency"+end, "the latencies of "+of,
		"the latency that the submitter measured of a task with outcome ok; warm-up not counted")
}

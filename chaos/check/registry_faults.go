package check

import "slices"

// faultMetrics are about the injections, and whether the slots answer after them.
var faultMetrics = slices.Concat([]Metric{
	faults("planned", "that were planned", "Planned records."),
	faults("injected", "that were begun", "Injected records."),
	faults("confirmed", "that evidence proves", "Outcomes confirmed; in require, those of that entry of the chaos list."),
	faults("already_gone", "whose victim was gone before", "Outcomes already_gone."),
	faults("refused", "that could not be done, or not safely", "Outcomes refused."),
	faults("unconfirmed", "without evidence", "Outcomes unconfirmed."),
	faults("missed", "that did not meet their phase", "Outcomes missed."),
	faults("fatal", "that ended their victim, by the evidence", "Outcomes confirmed that are marked fatal."),
	faults("healed", "that were undone", "Healed records."),
	faults("heal_failed", "that could not be undone", "Records heal-failed."),
},
	distribution("faults.effect", "the times from an injection to its effect",
		"from an injected record to the time that a confirmed receipt gives for the effect; an operation's duration"),
	distribution("faults.detection", "the times from an injection to the end of its victim as the target reports it",
		"from an injected record to the victim's exit"),
	aside(distribution("faults.lag", "the delays of injections against the plan",
		"from when the plan wanted an injection to its injected record")),
	[]Metric{
		{
			Name: "probes.answered", Unit: Count, Live: true,
			Meaning: "Probe tasks that were answered right.", Formula: "Probe records answered.",
		},
		{
			Name: "probes.failed", Unit: Count, Live: true,
			Meaning: "Probe tasks that were not.", Formula: "Probe records failed.",
		},
		{
			Name: "slots.answering", Unit: Count,
			Meaning: "Slots that answered the probe at the end.",
			Formula: "Distinct pids that answered the probes of the stage verify, one for each slot.",
		},
		{
			Name: "slots.silent", Unit: Count,
			Meaning: "Slots that did not answer the probe at the end.",
			Formula: "pool.want less slots.answering.",
		},
	},
)

func faults(end, what, formula string) Metric {
	return Metric{Name: "faults." + end, Unit: Count, Live: true, Meaning: "Injections " + what + ".", Formula: formula}
}

// aside marks metrics as those of the harness.
func aside(ms []Metric) []Metric {
	for i := range ms {
		ms[i].Aside = true
	}
	return ms
}

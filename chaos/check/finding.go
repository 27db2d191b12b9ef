package check

// Finding is one reason for a verdict. Code and Metric say what was found, so that two runs can be compared by it; Text
// says the same for people, with the figures of this run, and is nothing to compare.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	// Code is the kind of the reason: "" only in reports that were made before there were codes.
	Code Code `json:"code,omitempty"`
	// Metric is what the rule is about that does not hold, or cannot be judged. "" where the reason is about none.
	Metric string `json:"metric,omitempty"`
	Text   string `json:"text"`
	Event  int    `json:"event,omitempty"` // the line of the history that shows it, the header being 1; 0: none
	// Starved tells that the host was too busy for it to blame the target.
	Starved bool `json:"starved,omitempty"`
}

// Same tells whether both are the same finding, in this run or in another: their verdict, code and metric are.
func (f Finding) Same(other Finding) bool {
	return f.Verdict == other.Verdict && f.Code == other.Code && f.Metric == other.Metric
}

// Code is the kind of a finding.
type Code string

// The codes. Those of the first group are about the target, those of the second about how much the run proves, those of
// the third about how it ended or was recorded.
const (
	Broken Code = "broken" // a promise, an expectation or a requirement about Metric does not hold
	// the target did not get back to its steady state, or did too late; Metric is the first condition that did not hold
	NotSteadyAgain Code = "not_steady_again"
	Relapsed       Code = "relapsed" // it did, and then was not steady any more
	Tripped        Code = "tripped"  // an abort condition about Metric held
	Gone           Code = "gone"     // the target ended as a whole, by itself

	NoData       Code = "no_data"       // a condition about Metric cannot be judged
	NotSteady    Code = "not_steady"    // the target was not steady before the first fault
	BetweenTasks Code = "between_tasks" // kills that were to meet a task met none
	ThinLoad     Code = "thin_load"     // too little load; Metric is load.achieved
	NothingAsked Code = "nothing_asked" // the scenario has neither faults nor what it could be judged by
	HostOOM      Code = "host_oom"      // the host ran out of memory; Metric is host.oom

	HarnessFailed Code = "harness_failed" // the harness broke
	NotHealed     Code = "not_healed"     // a fault could not be undone
	Interrupted   Code = "interrupted"    // by a person or a signal
	TimedOut      Code = "timed_out"      // the run did not come to its end in time
	EndedEarly    Code = "ended_early"    // and nothing says why
	// the history is cut short or broken, lacks events or looks, or is not one of a run
	Incomplete  Code = "incomplete"
	TornWitness Code = "torn_witness" // lines of the witness are not whole
	Unlisted    Code = "unlisted"     // executions by processes that no listing can have named
)

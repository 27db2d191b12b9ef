// Package check judges a history: pure functions from its events to metrics and a verdict. The same history gives the
// same verdict, byte for byte, whenever and wherever it is judged.
package check

import (
	"slices"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// Verdict is the outcome of a run.
type Verdict string

// The verdicts, in order of precedence.
const (
	Error        Verdict = "ERROR"        // the harness broke or could not heal
	Fail         Verdict = "FAIL"         // the target broke a promise
	Aborted      Verdict = "ABORTED"      // interrupted by a person or a signal
	Inconclusive Verdict = "INCONCLUSIVE" // proved nothing: too few confirmed faults, too little load, no samples, …
	Pass         Verdict = "PASS"
)

// ExitCode is the command line's exit code for the verdict: 0 pass, 1 fail, 3 inconclusive, 4 aborted, 5 harness error.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass:
		return 0
	case Fail:
		return 1
	case Inconclusive:
		return 3
	case Aborted:
		return 4
	}
	return 5
}

// Result is what judging a history gives.
type Result struct {
	Verdict Verdict `json:"verdict"`
	Cause   string  `json:"cause"` // one sentence
	// Findings are the reasons for every verdict that applies, worst first; the first one's text is the cause.
	Findings []Finding `json:"findings"`
	// Metrics has every metric of the registry that has data, by name, in its unit: seconds, bytes, counts, per second.
	Metrics    map[string]float64 `json:"metrics"`
	Thresholds []Threshold        `json:"thresholds"`
	// Recoveries is how long each slot took that came back, in seconds, ascending: what slot.recovery.* is of, without
	// the deaths that no slot came back from. Of many it has some from all over their range.
	Recoveries []float64 `json:"recoveries,omitempty"`
	// Ledger is what happened, as it was judged: what is drawn from it cannot differ from the verdict. nil for a result
	// that was read from a report.
	Ledger *ledger.Ledger `json:"-"`
}

// Starved tells whether the run proves nothing for no other reason than that the host was too busy.
func (r *Result) Starved() bool {
	return r.Verdict == Inconclusive && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return !f.Starved })
}

// Threshold is one rule and what became of it.
type Threshold struct {
	Group   string  `json:"group"`          // steady, expect, abort, require; promise: what every scenario requires
	When    string  `json:"when,omitempty"` // steady: before or after the faults
	Text    string  `json:"text"`
	Metric  string  `json:"metric"`
	Op      string  `json:"op"`
	Limit   float64 `json:"limit"`
	Actual  float64 `json:"actual"`
	Margin  float64 `json:"margin"`  // limit less actual, turned so that negative is bad
	Samples int     `json:"samples"` // how many measurements Actual comes from
	// Of is what those are: tasks, deaths, looks, … "" for a metric that is not known.
	Of string `json:"of,omitempty"`
	// NoData tells that there are too few to judge by. Of a quantile, Actual is what those come to that there are.
	NoData bool `json:"no_data,omitempty"`
	// NotJudged tells that the run was cut short before the rule could be judged: OK says nothing then.
	NotJudged bool `json:"not_judged,omitempty"`
	// Starved tells that the rule is broken only for the time for which the host was starved: that blames nobody.
	Starved bool `json:"starved,omitempty"`
	OK      bool `json:"ok"`
}

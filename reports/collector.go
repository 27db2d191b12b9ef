package reports

import (
	"fmt"
	"iter"
	"slices"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Collector gathers what a report shows while the judge reads the history, so that a million events are read once. Its
// memory is bounded: series are binned and ledgers cut, visibly.
type Collector struct {
	r      *Report
	ledger ledger
	plots  plots
}

// NewCollector makes a collector for the history with that header.
func NewCollector(h history.Header) *Collector {
	t := h.Target
	t.Kind, t.Name, t.Version = clip(t.Kind, maxName), clip(t.Name, maxName), clip(t.Version, maxName)
	r := &Report{source: clip(h.Source, 64<<10), Facts: Facts{
		SchemaVersion: SchemaVersion, Run: clip(h.Run, maxName), Test: clip(h.Test, maxName), Scenario: clip(h.Scenario, maxName), Description: clip(h.Description, 2*maxText), Seed: h.Seed,
		Command: clip(h.Command, 2*maxText), Started: h.Started, Target: t, Floors: h.Floors, Experiment: clip(h.Experiment, maxName),
		Environment: clipMap(h.Environment, 100), Capabilities: clipMap(h.Capabilities, 100),
		Faults: []Injection{}, Exits: []Exit{},
	}}
	return &Collector{r: r, ledger: ledger{r: r, faults: map[int]int{}, line: 1}, plots: newPlots(h.Target)}
}

// Tee passes events on and collects them.
func (c *Collector) Tee(events iter.Seq2[history.Event, error]) iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		for e, err := range events {
			if err == nil {
				c.Add(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// Add collects one event.
func (c *Collector) Add(e history.Event) {
	c.r.DurationS = max(c.r.DurationS, e.T.Seconds())
	c.ledger.add(e)
	c.plots.add(e)
}

// Report is the report of what was collected. The collector is not used after.
func (c *Collector) Report(result check.Result) *Report {
	result.Cause, result.Findings = clip(result.Cause, maxText), slices.Clone(result.Findings)
	for i := range result.Findings {
		result.Findings[i].Text = clip(result.Findings[i].Text, maxText)
	}
	c.r.Result = result
	c.ledger.explain(result.Causes)
	if c.ledger.left > 0 {
		c.r.Truncated = fmt.Sprintf("the first %s of each ledger are shown; %s lines are left out", whole(maxLedger), whole(float64(c.ledger.left)))
	}
	c.r.plots = c.plots
	return c.r
}

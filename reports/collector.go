package reports

import (
	"fmt"
	"iter"

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
	r := &Report{source: h.Source, Facts: Facts{
		SchemaVersion: SchemaVersion, Scenario: h.Scenario, Description: h.Description, Seed: h.Seed, Command: h.Command,
		Started: h.Started, Target: h.Target, Floors: h.Floors, Environment: h.Environment, Capabilities: h.Capabilities,
		Faults: []Injection{}, Exits: []Exit{},
	}}
	return &Collector{r: r, ledger: ledger{r: r, faults: map[int]int{}, killed: map[int]int{}}, plots: newPlots()}
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
	c.r.Result = result
	if c.ledger.left > 0 {
		c.r.Truncated = fmt.Sprintf("the first %d of each ledger are shown; %d lines are left out", maxLedger, c.ledger.left)
	}
	c.r.plots = c.plots
	return c.r
}

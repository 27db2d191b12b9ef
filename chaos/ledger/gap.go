package ledger

import (
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Gaps are the times without an outcome, from the first fault of a broker on, while tasks waited for one.
type Gaps struct {
	Dist
	since  time.Duration // the last outcome, or when a task came while nobody waited for one
	line   int
	waited bool // somebody does: what only failed is waited for still
	struck bool
}

// ofBroker tells whether an injection is about a broker, or about who of them leads.
func (s *Ledger) ofBroker(i *Injection) bool {
	workers, what := s.Workers(), s.Header.Target
	if v := i.Victim; v != nil {
		return v.Slot >= workers && v.Slot < workers+what.Brokers
	}
	return what.Brokers > 0 && i.leads
}

// came takes a task that was submitted.
func (g *Gaps) came(s *Ledger) {
	if !g.waited {
		g.since, g.line = s.Now, s.Line
	}
	g.waited = true
}

// ended takes an outcome, when its task is not in flight any more: that of one which gave its value, or was given up
// on.
func (g *Gaps) ended(o history.Outcome, s *Ledger) {
	if o != history.OK && o != history.Hung {
		return
	}
	if g.struck {
		g.add(g.since, s.Now, s.Line)
	}
	g.since, g.line, g.waited = s.Now, s.Line, len(s.Tasks.open) > 0
}

// BrokerGaps are the times so far, with the one that goes on.
func (s *Ledger) BrokerGaps() View {
	g := &s.Gaps
	if !g.struck || !g.waited || s.Stage > Settle {
		return g.Now()
	}
	return g.with([]ongoing{{g.since, g.line}}, s.Until())
}

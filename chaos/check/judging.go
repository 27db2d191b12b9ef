package check

import (
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// state is a run that is judged: what happened in it, and what became of its rules by now.
type state struct {
	*ledger.Ledger
	watch      watch
	steadiness steadiness
}

func newState(h history.Header) *state {
	s := &state{Ledger: ledger.New(h)}
	s.watch.init(h.Rules)
	return s
}

// add takes the next event.
func (s *state) add(line int, e *history.Event) {
	if looked := s.Ledger.Add(line, e); looked {
		s.evaluateAll()
	}
}

package check

import (
	"slices"
	"sync"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// Live computes the same figures as [Judge] while a run goes on, for its abort conditions. It is safe for concurrent
// use.
type Live struct {
	mu sync.Mutex
	s  *state
}

// NewLive begins a run.
func NewLive(h history.Header) *Live { return &Live{s: newState(h)} }

// Add takes the event that was written as that line of the history.
func (l *Live) Add(line int, e history.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.s.add(line, &e)
	if e.End != nil { // what is known only then is known now
		l.s.Finish()
	}
}

// Ledger is what happened by now, for whoever adds the events: it is not to be read while another does.
func (l *Live) Ledger() *ledger.Ledger { return l.s.Ledger }

// Tripped is the first abort condition that held, as of the last sample; ok is false when none did.
func (l *Live) Tripped() (t Threshold, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.s.watch.tripped == nil {
		return Threshold{}, false
	}
	return l.s.watch.tripped.Threshold, true
}

// ByNow is what the run shows so far. It has no verdict, and of the findings only those by which it is to fail: what is
// missing may still come. Its ledger is the run's own: it is not to be read while somebody adds to it.
func (l *Live) ByNow() Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.s.result()
	r.Verdict, r.Cause, r.Metrics = "", "", l.s.metrics(true)
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool { return f.Verdict != Fail && f.Verdict != Error })
	return r
}

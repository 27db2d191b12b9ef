package check

import (
	"sync"

	"github.com/respawn-go/respawn/chaos/history"
)

// Live computes the same figures as [Judge] while a run goes on, for its steady and abort conditions and for showing
// progress. Make its Add the Tee of the history's Writer. It is safe for concurrent use.
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
}

// Steady tells whether all steady conditions have held at once since the present side of the faults began: in the stage
// steady, or in settle and verify. shown is how they were then, or else at the last sample.
func (l *Live) Steady() (reached bool, shown []Threshold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	side := sideOf(l.s.stage)
	if side < 0 {
		return false, nil
	}
	w := &l.s.watch
	return w.reached[side] || len(w.steady) == 0, w.shown[side]
}

// Recovering counts the confirmed deaths whose slot is not of use again yet.
func (l *Live) Recovering() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, deaths := range l.s.slots.pending {
		n += len(deaths)
	}
	return n
}

// Tripped is the first abort condition that held, as of the last sample; ok is false when none did.
func (l *Live) Tripped() (t Threshold, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.s.watch.tripped == nil {
		return Threshold{}, false
	}
	return l.s.watch.tripped.Threshold, true
}

// Value is a metric now. Without samples there is no data.
func (l *Live) Value(metric string) (value float64, samples int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.s.read(metric, true)
	return r.value, r.samples
}

// Snapshot is every live metric that has data now.
func (l *Live) Snapshot() map[string]float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.s.metrics(true)
}

package pooltest

import (
	"slices"
	"sync"

	"github.com/respawn-go/respawn/pool"
)

// Recorder keeps every life event of a pool from the moment it was made. Its methods are safe for concurrent use and
// made for Eventually: Eventually(r.Exits).Should(HaveLen(1)).
type Recorder struct {
	events *pool.Subscription
	done   chan struct{}

	mu   sync.Mutex
	kept []pool.Event
}

// Record starts to record. Close the recorder, or the pool.
func Record(p *pool.Pool) *Recorder {
	r := &Recorder{events: p.Subscribe(1 << 16), done: make(chan struct{})}
	go r.keep()
	return r
}

func (r *Recorder) keep() {
	defer close(r.done)
	for e := range r.events.C {
		r.mu.Lock()
		r.kept = append(r.kept, e)
		r.mu.Unlock()
	}
}

// Events returns the events so far in their order, all or those of the given kinds.
func (r *Recorder) Events(kinds ...pool.EventKind) []pool.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.kept), func(e pool.Event) bool {
		return len(kinds) > 0 && !slices.Contains(kinds, e.Kind)
	})
}

// Exits returns how workers ended so far, the first first.
func (r *Recorder) Exits() (exits []pool.Exit) {
	for _, e := range r.Events(pool.WorkerExited) {
		exits = append(exits, *e.Exit)
	}
	return exits
}

// Dropped is how many events came faster than they could be kept. A test that counts events checks that it is 0.
func (r *Recorder) Dropped() uint64 { return r.events.Dropped() }

// Close ends the recording; what was recorded stays. It returns when the last event is kept. Closing twice is fine.
func (r *Recorder) Close() {
	r.events.Close()
	<-r.done
}

package pool

import (
	"sync"
	"sync/atomic"
	"time"
)

// EventKind names one kind of life event.
type EventKind uint8

// The life events. Each comment says which fields of Event are set beside Kind, At and Worker.
const (
	WorkerStarted     EventKind = iota // a process was started
	WorkerReady                        // it answers tasks (for a hot spare: it took the slot)
	WorkerRetiring                     // it was asked to stop; Reason
	WorkerExited                       // it was reaped, its socket drained, its tasks settled or requeued; Exit
	WorkerQuarantined                  // it could not be reaped within 5 s
	BootFailed                         // a worker did not come up; Err
	BreakerOpened                      // no more starts for Delay; Err
	BreakerClosed                      // a probe worker stayed up
	TaskRequeued                       // a task of a dead worker went back to the queue; TaskID, Blamed
	TaskLost                           // a task was settled with *WorkerLostError; TaskID, Err
	TaskRevoked                        // unstarted tasks were taken back from a worker stuck on a long one; Count
	LateResult                         // a result came for a task that was settled already (cancelled); TaskID
	FrameRejected                      // a worker sent what no worker should and is recycled; Err
)

func (k EventKind) String() string {
	return [...]string{
		"worker-started", "worker-ready", "worker-retiring", "worker-exited", "worker-quarantined", "boot-failed",
		"breaker-opened", "breaker-closed", "task-requeued", "task-lost", "task-revoked", "late-result",
		"frame-rejected",
	}[min(k, FrameRejected)]
}

// Event is one thing that happened in the life of a pool.
type Event struct {
	Kind   EventKind
	At     time.Time // with a monotonic reading
	Worker WorkerInfo
	Exit   *Exit
	Reason Reason
	TaskID uint64
	Blamed bool
	Count  int
	Delay  time.Duration
	Err    error
}

// Subscription is a stream of life events. Receive from C; when the receiver is slower than the pool for longer than
// the buffer lasts, events are dropped and counted, and the pool is never held up.
type Subscription struct {
	C       <-chan Event
	c       chan Event
	dropped atomic.Uint64
	bus     *eventBus
}

// Dropped is how many events did not fit the buffer.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Close ends the subscription and closes C. Closing twice is fine.
func (s *Subscription) Close() { s.bus.remove(s) }

// eventBus fans events out to subscriptions in the order they were published.
type eventBus struct {
	mu     sync.Mutex
	subs   []*Subscription
	closed bool
}

func (b *eventBus) subscribe(buffer int) *Subscription {
	c := make(chan Event, max(buffer, 1))
	s := &Subscription{C: c, c: c, bus: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(c)
		return s
	}
	b.subs = append(b.subs, s)
	return s
}

func (b *eventBus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, have := range b.subs {
		if have == s {
			b.subs = append(b.subs[:i:i], b.subs[i+1:]...)
			close(s.c)
			return
		}
	}
}

// publish tells the log and the subscribers, in the order of what happened.
func (st *state) publish(e Event) {
	e.At = time.Now()
	st.tell(e)
	b := &st.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		select {
		case s.c <- e:
		default:
			s.dropped.Add(1)
		}
	}
}

// close ends every subscription after the events published so far.
func (b *eventBus) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, s := range b.subs {
		close(s.c)
	}
	b.subs = nil
}

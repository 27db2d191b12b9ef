package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/internal/breaker"
	"github.com/respawn-go/respawn/internal/wire"
)

// state is what Pool.mu guards. Whoever has one holds the lock: lock gives it, and unlock takes it back. A method of
// *state is called in a critical section, then, and cannot be called elsewhere; a method of *Pool is called outside of
// one, and may take the lock.
type state struct {
	*Pool
	stage   poolState
	queue   queue
	caller  *call           // the one being accepted, if its caller will wait
	pacer   pacer           // when calls are sent
	breaker breaker.Breaker // of starts
	eff     *effects
	changed chan struct{} // closed and replaced when something that await waits for changed
	staff
	hours
	books
}

// staff is the workers, by what they are there for.
type staff struct {
	slots       []*slot
	workers     map[*worker]struct{} // whose process may be alive
	bench       []*worker            // ready hot spares
	idle        []*worker            // ready workers without a task, the last used last
	ready       int                  // workers in slots that take tasks
	windows     int                  // of the ready workers in slots, all together
	working     []*worker            // that have tasks
	slow        int                  // of these, workers that are not about to answer
	up          bool                 // New has seen every worker ready
	lacks       error                // a start's, of a resource that another try will lack too
	workerCount int
	boots       int // places of workers of Config.Command that boot, as takesPlace gives them back
}

// hours are what the keeper goes by.
type hours struct {
	clock       patience
	alarms      alarms
	keeperNext  time.Time     // when it looks next
	keeperAll   time.Time     // when it looks at workers without tasks, too
	keeperGrain time.Duration // clock.grain of what it looks at then
	unreadAny   bool          // some worker was unread since its last look
	answered    time.Time     // when a worker last settled something
	takenAt     time.Duration // when a worker last took something from the queue, or that began
}

// books are the tasks, counted.
type books struct {
	nextID   uint64
	live     int  // accepted and not settled
	blocked  int  // submitters that wait for room in the queue
	cut      bool // Terminate ended accepted tasks
	stats    Stats
	measures *measures // nil without Config.Measure
}

// lock begins a critical section.
func (p *Pool) lock() *state {
	p.mu.Lock()
	return &p.st
}

// unlock ends a critical section and does what it left to do.
func (st *state) unlock() {
	e := st.eff
	if len(e.settled) == 0 && len(e.dirty) == 0 {
		st.mu.Unlock()
		return
	}
	for _, w := range e.dirty {
		w.dirty = false
		if o, ok := w.beginWrite(); ok {
			e.writes = append(e.writes, o)
		}
	}
	clear(e.dirty)
	e.dirty = e.dirty[:0]
	st.eff = spareEffects()
	st.mu.Unlock()

	for _, o := range e.writes {
		if o.large == nil {
			o.w.write(o)
		}
	}
	for i, c := range e.settled {
		c.announce()
		e.settled[i] = nil
	}
	for i, o := range e.writes {
		if o.large != nil { // takes long enough to let everybody else go first
			o.w.write(o)
		}
		e.writes[i] = outgoing{}
	}
	e.writes, e.settled = e.writes[:0], e.settled[:0]
	effectsPool.Put(e)
}

// notify wakes everybody in await and sleep.
func (st *state) notify() {
	close(st.changed)
	st.changed = make(chan struct{})
}

// sleep lets go of the lock until something changed or the time has come (zero: never).
func (st *state) sleep(until time.Time) { _ = st.sleepCtx(context.Background(), until) }

func (st *state) sleepCtx(ctx context.Context, until time.Time) error {
	changed := st.changed
	st.unlock()
	defer st.lock()
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-changed:
	case <-timer:
	case <-ctx.Done():
		return ended(ctx)
	}
	return nil
}

// await blocks until cond or ctx is done.
func (p *Pool) await(ctx context.Context, cond func(*state) bool) error {
	st := p.lock()
	defer st.unlock()
	for !cond(st) {
		if err := st.sleepCtx(ctx, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// ended is the error of a context that is done, with its cause if it was given one.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// effects is what a critical section leaves to be done after it: calls whose waiters must be woken, and workers that
// have frames to be written.
type effects struct {
	settled []*call
	dirty   []*worker
	writes  []outgoing
}

// outgoing is frames to be written to one worker, and the payload that must be in its arena before that.
type outgoing struct {
	w     *worker
	buf   []byte
	large *call
	place int    // in the arena, of large's payload
	head  []byte // of that payload, as it was when the lock was held
	bytes []byte
}

// effectsPool is of empty *effects, for all pools. Whatever one of them pointed to would live on for two collections.
var effectsPool sync.Pool

func spareEffects() *effects {
	if e, ok := effectsPool.Get().(*effects); ok {
		return e
	}
	return &effects{}
}

// beginWrite takes the frames that are to be written, unless somebody is writing already, who will take them after.
func (w *worker) beginWrite() (outgoing, bool) {
	if w.writing || len(w.out) == 0 || w.released {
		return outgoing{}, false
	}
	o := outgoing{w: w, buf: w.out}
	if w.large != nil && !w.large.copied && !w.large.settled { // else its owner may have it back
		w.large.copied = true
		o.large, o.place, o.bytes = w.large, w.place, w.large.data
		o.head = slices.Clone(w.large.inline[:w.large.head])
		o.large.copying++
	}
	w.writing = true
	w.out, w.spareOut = w.spareOut[:0], nil
	return o, true
}

// write writes without blocking the caller: what does not fit at once is left to a goroutine of its own.
func (w *worker) write(o outgoing) {
	for {
		if o.large != nil {
			down, _ := w.proc.Arenas()
			to := down[o.place*len(down)/wire.Places:]
			copy(to[copy(to, o.head):], o.bytes)
			w.copiedLarge(o.large)
			o.large, o.bytes = nil, nil
		}
		n, err := w.proc.TryWrite(o.buf)
		if err == nil && n < len(o.buf) {
			go func() {
				_ = w.proc.Write(o.buf[n:]) // an error means that it is dying; its tasks are in flight
				if more, ok := w.endWrite(o); ok {
					w.write(more)
				}
			}()
			return
		}
		more, ok := w.endWrite(o)
		if !ok {
			return
		}
		o = more
	}
}

// copiedLarge tells that c's payload is in the arena, whatever becomes of the frame.
func (w *worker) copiedLarge(c *call) {
	st := w.p.lock()
	defer st.unlock()
	if c.copying--; c.borrowed {
		st.notify() // its caller may be waiting to have it back
	}
}

// endWrite gives the buffer back and takes what was added meanwhile.
func (w *worker) endWrite(o outgoing) (outgoing, bool) {
	st := w.p.lock()
	defer st.unlock()
	w.writing, w.spareOut = false, o.buf[:0]
	if w.released {
		w.proc.Close()
		return outgoing{}, false
	}
	return w.beginWrite()
}

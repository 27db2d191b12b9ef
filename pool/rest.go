package pool

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// One who calls, waits and calls again gains nothing from a reader beside him: waking him from another goroutine costs as
// much as the round trip itself, since the runtime starts a thread to look for more work whenever something becomes ready.
// So after some such calls in a row the reader of an idle worker rests, and the next caller reads for himself: what the
// poller wakes is then the one who wanted to know.
//
// Reading is a part that one goroutine has at a time: the reader, a caller, or nobody while the reader rests. Whoever sends
// something else to the worker calls the reader back, as do its end and, after a while, the keeper.
const (
	loneRun = 16                   // calls in a row before a reader rests
	loneGap = time.Millisecond     // that follow each other within this
	restFor = 5 * time.Millisecond // how long nobody reads at most
)

// interrupter is a process whose receive can be made to return early, with nil.
type interrupter interface{ Interrupt() }

// rest leaves the worker unread until there is something to read for, if its reader may rest; false if somebody has to
// read on. Its reader calls it.
func (w *worker) rest() bool {
	p := w.p
	st := p.lock()
	defer st.unlock()
	if _, ok := w.proc.(interrupter); !ok || !w.lonely(st) || !w.died.IsZero() || w.unreadable || w.state != Ready || w.in.Start != w.in.End {
		return false
	}
	w.resting, w.restedAt, st.rested = true, wire.Now(), true
	if st.keeperNext.After(st.clock.now().Add(2 * restFor)) {
		st.keeperWake()
	}
	return true
}

// lonely tells whether w is without a task and its next is likely to be a caller's who waits.
func (w *worker) lonely(st *state) bool { return st.pacer.lone >= st.cfg.lone && w.flight.count == 0 }

// attend calls the reader back.
func (w *worker) attend() {
	if w.resting {
		w.resting = false
		w.attention <- struct{}{}
	}
}

// attendAfter calls the reader back when it has rested for long, and returns when to look again.
func (w *worker) attendAfter(now time.Time) (next time.Time) {
	if !w.resting {
		return time.Time{}
	}
	left := restFor - (wire.Now() - w.restedAt)
	if left <= 0 {
		w.attend()
		return time.Time{}
	}
	return now.Add(left)
}

// takePart gives the reading of a resting worker to the caller of the task that was just sent to it, or back to the reader.
func (st *state) takePart(w *worker, c *call) {
	if c == st.caller && w.flight.count == 1 {
		w.resting = false
		c.reads = w
	} else {
		w.attend()
	}
}

// read is a caller reading his worker's answers until his own is there, which settled has, or nothing more can be read.
func (c *call) read(ctx context.Context, settled <-chan struct{}) {
	w := c.reads
	p := w.p
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, func() { p.cancel(c, ctx) })()
	}
	var err error
	for c.reads != nil {
		err = w.proc.Receive(w.space, func(n int) bool { return w.got(n) && len(settled) == 0 && !p.isSettled(c) })
		st := p.lock()
		if err != nil || w.unreadable || c.settled {
			c.reads = nil
		}
		st.unlock()
	}
	if err != nil || !w.rest() {
		w.attention <- struct{}{}
	}
}

// isSettled tells whether c is, though settled may be empty yet if somebody else has to announce it.
func (p *Pool) isSettled(c *call) bool {
	st := p.lock()
	defer st.unlock()
	return c.settled
}

// relieve interrupts a caller who reads for what has been settled otherwise: by nobody's answer, or by that of another
// worker than his.
func (c *call) relieve() {
	if c.reads != nil {
		c.reads.proc.(interrupter).Interrupt()
	}
}

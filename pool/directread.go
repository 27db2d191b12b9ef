package pool

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// Who calls, waits and calls again gains nothing from a reader beside: to be woken by another goroutine costs as much
// as the round trip itself, since the runtime starts a thread to look for more work whenever something becomes ready.
// So after some such calls in a row the reader of an idle worker stops, and the next caller reads the answer directly:
// whom the poller wakes is then the one who wanted to know.
//
// Reading is a part that one goroutine has at a time: the reader, a caller, or nobody while the worker is unread.
// Whoever sends something else to the worker calls the reader back, as do its end and, after a while, the keeper.
const (
	directAfter = 16                   // calls in a row before a reader stops
	directGap   = time.Millisecond     // that follow each other within this
	unreadFor   = 5 * time.Millisecond // how long nobody reads at most
)

// interrupter is a process whose receive can be made to return early, with nil.
type interrupter interface{ Interrupt() }

// stopReading leaves the worker unread until there is something to read for, if its reader may stop; false if somebody
// has to read on. Its reader calls it.
func (w *worker) stopReading() bool {
	p := w.p
	st := p.lock()
	defer st.unlock()
	if _, ok := w.proc.(interrupter); !ok || !w.expectsDirectRead(st) || !w.died.IsZero() || w.unreadable ||
		w.state != Ready || w.in.Start != w.in.End {
		return false
	}
	w.unread, w.unreadSince, st.unreadAny = true, wire.Now(), true
	if st.keeperNext.After(st.clock.now().Add(2 * unreadFor)) {
		st.keeperWake()
	}
	return true
}

// expectsDirectRead tells whether w is without a task and its next is likely to be a caller's who waits.
func (w *worker) expectsDirectRead(st *state) bool {
	return st.pacer.lone >= st.cfg.directAfter && w.flight.count == 0
}

// callReader calls the reader back.
func (w *worker) callReader() {
	if w.unread {
		w.unread = false
		w.readAgain <- struct{}{}
	}
}

// callReaderAfter calls the reader back when nobody has read for long, and returns when to look again.
func (w *worker) callReaderAfter(now time.Time) (next time.Time) {
	if !w.unread {
		return time.Time{}
	}
	left := unreadFor - (wire.Now() - w.unreadSince)
	if left <= 0 {
		w.callReader()
		return time.Time{}
	}
	return now.Add(left)
}

// handReading gives the reading of an unread worker to the caller of the task that was just sent to it, or back to the
// reader.
func (st *state) handReading(w *worker, c *call) {
	if c == st.caller && w.flight.count == 1 {
		w.unread = false
		c.reads = w
	} else {
		w.callReader()
	}
}

// read is a caller reading a worker's answers until its own is there, which settled has, or nothing more can be read.
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
	if err != nil || !w.stopReading() {
		w.readAgain <- struct{}{}
	}
}

// isSettled tells whether c is, though settled may be empty yet if somebody else has to announce it.
func (p *Pool) isSettled(c *call) bool {
	st := p.lock()
	defer st.unlock()
	return c.settled
}

// interruptRead interrupts a caller who reads for what has been settled otherwise: by nobody's answer, or by another
// worker.
func (c *call) interruptRead() {
	if c.reads != nil {
		c.reads.proc.(interrupter).Interrupt()
	}
}

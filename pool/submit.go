package pool

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// waiter is for a caller that waits alone.
func (p *Pool) waiter() *waiting {
	if w, ok := p.waiters.Get().(*waiting); ok {
		return w
	}
	return &waiting{c: make(chan struct{}, 1), once: true}
}

// submit accepts a call or settles it with the reason why not.
func (p *Pool) submit(ctx context.Context, c *call) error {
	err := p.accept(ctx, c)
	if err != nil { // otherwise c is the pool's from here on
		c.err, c.settled = err, true
		c.announce()
	}
	return err
}

func (p *Pool) accept(ctx context.Context, c *call) error {
	switch {
	case c.err != nil:
		return c.err
	case ctx.Err() != nil:
		return ended(ctx)
	case c.extra != nil && c.extra.route != "":
		return fmt.Errorf(
			"pool: task %q has the route %q: a pool has one place only; submit it to what made that route",
			c.def.name, c.extra.route)
	case c.def.external != (p.cfg.Command != nil):
		return p.misfit(c.def)
	case Bytes(c.size()) > p.cfg.MaxPayload:
		return fmt.Errorf("%w: argument of task %q: %d bytes, at most %d",
			ErrPayloadTooLarge, c.def.name, c.size(), p.cfg.MaxPayload)
	}
	c.carry(ctx)
	st := p.lock()
	defer st.unlock()
	if err := st.admission(ctx, c); err != nil {
		return err
	}
	st.nextID++
	st.live++
	st.stats.Submitted++
	c.id = st.nextID
	st.timeFrom(c)
	if c.signal.Load() != nil {
		st.caller = c
		defer func() { st.caller = nil }() // before the lock is released
	}
	st.enqueue(c)
	return nil
}

// admission tells why a call cannot be accepted; it may wait for room in the queue.
func (st *state) admission(ctx context.Context, c *call) error {
	for {
		switch {
		case st.stage != stateOpen:
			return ErrClosed
		case int(c.slot) > len(st.slots) || c.slot < 0:
			return fmt.Errorf("%w: %d of %d", ErrNoSuchSlot, c.slot-1, len(st.slots))
		case st.breaker.Open() && st.ready == 0 && len(st.bench) == 0:
			return st.crashLoop()
		case st.cfg.QueueLimit == 0 || !st.full(c):
			return nil
		case !st.cfg.QueueBlock && !c.patient:
			return fmt.Errorf("%w: Config.QueueLimit is %d: submit later, or set Config.QueueBlock to wait for room",
				ErrQueueFull, st.cfg.QueueLimit)
		}
		st.blocked++
		err := st.sleepCtx(ctx, time.Time{})
		st.blocked--
		if err != nil {
			return err
		}
	}
}

// full tells whether as many tasks as Config.QueueLimit wait where c would. A slot's own queue counts for itself, so
// that a probe finds room when the pool is busy. What was held back to travel together goes to idle workers first.
func (st *state) full(c *call) bool {
	limit := st.cfg.QueueLimit
	if c.slot > 0 {
		return st.slots[c.slot-1].pinned.live >= limit
	}
	if st.queue.live >= limit && len(st.idle) > 0 {
		st.pacer.coalescing = false
		st.dispatch()
	}
	return st.queue.live >= limit
}

// cancel settles c with ctx's error: before it starts it never runs; while it runs its handler's context is cancelled,
// and its worker is killed if the handler does not return in time.
func (p *Pool) cancel(c *call, ctx context.Context) {
	st := p.lock()
	defer st.unlock()
	if c.settled {
		return
	}
	err, w, seq := ended(ctx), c.on, c.seq
	if c.queue != nil || w.state >= Stopped {
		st.fail(c, err)
		return
	}
	if st.cfg.mutant != mutantRunCancelled && w.unstart(seq, c) {
		w.forget(st, seq, c)
		c.attempt--
		st.fail(c, err)
		st.revokeOthers(w)
		st.afterBatch(w)
		return
	}
	st.revokeOthers(w)
	if grace := st.cfg.CancelGrace; grace >= 0 && st.cfg.mutant != mutantNoGrace {
		c.more().grace = st.after(grace, func() {
			if w.flight.get(seq) != c {
				return
			}
			if _, running := w.board.Running(); running == seq {
				// otherwise it has returned, and its result is not written yet
				w.kill(st, ReasonCancel)
			}
		})
	}
	st.fail(c, err)
	w.proc.Control(wire.Control{Kind: wire.ControlCancel, Arg: seq})
}

// revokeOthers is called after one task of w's was to be taken back, which the others may have gone along with.
func (st *state) revokeOthers(w *worker) {
	if w.board.Together() && st.revoke(w) > 0 {
		st.dispatch()
	}
}

// cancelWhenDone cancels c when ctx is done, until it has settled.
func (p *Pool) cancelWhenDone(ctx context.Context, c *call) {
	detach := context.AfterFunc(ctx, func() { p.cancel(c, ctx) })
	st := p.lock()
	settled := c.settled
	if !settled { // else it is being announced, which reads detach
		c.more().detach = detach
	}
	st.unlock()
	if settled {
		detach()
	}
}

// enqueue puts a call that was accepted where its worker will take it from, and dispatches.
func (st *state) enqueue(c *call) {
	if c.slot > 0 && st.cfg.mutant != mutantAnySlot {
		s := st.slots[c.slot-1]
		s.pinned.pushBack(c)
		if s.worker != nil {
			st.feed(s.worker, 0)
		}
		return
	}
	if st.queue.live == 0 {
		st.takenAt = wire.Now()
	}
	st.queue.pushBack(c)
	if len(st.idle) > 0 {
		st.pace()
	}
}

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
		return fmt.Errorf("pool: task %q has the route %q: a pool has one place only; submit it to what made that route", c.def.name, c.extra.route)
	case c.def.external != (p.cfg.Command != nil):
		return p.misfit(c.def)
	case Bytes(c.size()) > p.cfg.MaxPayload:
		return fmt.Errorf("%w: argument of task %q: %d bytes, at most %d", ErrPayloadTooLarge, c.def.name, c.size(), p.cfg.MaxPayload)
	}
	p.mu.Lock()
	defer p.unlock()
	if err := p.admission(ctx, c); err != nil {
		return err
	}
	p.nextID++
	p.live++
	p.stats.Submitted++
	c.id = p.nextID
	c.carry(ctx)
	p.timeFrom(c)
	if c.signal.Load() != nil {
		p.caller = c
		defer func() { p.caller = nil }() // before Pool.mu is released
	}
	p.enqueue(c)
	return nil
}

// admission tells why a call cannot be accepted; it may wait for room in the queue. Pool.mu is held.
func (p *Pool) admission(ctx context.Context, c *call) error {
	for {
		switch {
		case p.state != stateOpen:
			return ErrClosed
		case int(c.slot) > len(p.slots) || c.slot < 0:
			return fmt.Errorf("%w: %d of %d", ErrNoSuchSlot, c.slot-1, len(p.slots))
		case p.breaker.isOpen() && p.ready == 0 && len(p.bench) == 0:
			return p.crashLoop()
		case p.cfg.QueueLimit == 0 || !p.full(c):
			return nil
		case !p.cfg.QueueBlock && !c.options().wait:
			return fmt.Errorf("%w: Config.QueueLimit is %d: submit later, or set Config.QueueBlock to wait for room", ErrQueueFull, p.cfg.QueueLimit)
		}
		p.blocked++
		err := p.sleepCtx(ctx, time.Time{})
		p.blocked--
		if err != nil {
			return err
		}
	}
}

// full tells whether as many tasks as Config.QueueLimit wait where c would. A slot's own queue counts for itself, so that a
// probe finds room when the pool is busy. What was held back to travel together goes to idle workers first. Pool.mu is held.
func (p *Pool) full(c *call) bool {
	limit := p.cfg.QueueLimit
	if c.slot > 0 {
		return p.slots[c.slot-1].pinned.live >= limit
	}
	if p.queue.live >= limit && len(p.idle) > 0 {
		p.gathering = false
		p.dispatch()
	}
	return p.queue.live >= limit
}

// cancel settles c with ctx's error: before it starts it never runs; while it runs its handler's context is cancelled,
// and its worker is killed if the handler does not return in time.
func (p *Pool) cancel(c *call, ctx context.Context) {
	p.mu.Lock()
	defer p.unlock()
	if c.settled {
		return
	}
	err, w, seq := ended(ctx), c.on, c.seq
	if c.queue != nil || w.state >= Stopped {
		p.fail(c, err)
		return
	}
	if p.cfg.mutant != mutantRunCancelled && w.unstart(seq, c) {
		w.forget(seq, c)
		c.attempt--
		p.fail(c, err)
		p.revokeOthers(w)
		p.afterBatch(w)
		return
	}
	p.revokeOthers(w)
	if grace := p.cfg.CancelGrace; grace >= 0 && p.cfg.mutant != mutantNoGrace {
		c.more().grace = p.after(grace, func() {
			if w.flight.get(seq) != c {
				return
			}
			if _, running := w.board.Running(); running == seq { // otherwise it has returned, and its result is not written yet
				w.kill(ReasonCancel)
			}
		})
	}
	p.fail(c, err)
	w.proc.Control(wire.Control{Kind: wire.ControlCancel, Arg: seq})
}

// revokeOthers is called after one task of w's was to be taken back, which the others may have gone along with. Pool.mu is held.
func (p *Pool) revokeOthers(w *worker) {
	if w.board.Together() && p.revoke(w) > 0 {
		p.dispatch()
	}
}

// cancelWhenDone cancels c when ctx is done, until it has settled.
func (p *Pool) cancelWhenDone(ctx context.Context, c *call) {
	detach := context.AfterFunc(ctx, func() { p.cancel(c, ctx) })
	p.mu.Lock()
	settled := c.settled
	if !settled { // else it is being announced, which reads detach
		c.more().detach = detach
	}
	p.mu.Unlock()
	if settled {
		detach()
	}
}

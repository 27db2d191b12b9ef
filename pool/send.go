package pool

import (
	"context"
	"fmt"
	"math"

	"github.com/respawn-go/respawn/internal/serve"
)

var _ Transport = (*Pool)(nil)

// Send submits a task by its name and the bytes of its argument, and has done called with the bytes of its outcome: the pool
// as a [Transport]. It blocks as Submit does. A name that this program has not registered is ErrUnknownTask.
func (p *Pool) Send(ctx context.Context, m *Message, done func(*Reply)) error {
	def, err := p.definition(m)
	if err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	c := &call{def: def, data: m.Arg, attempt: uint16(m.Attempts)}
	x := c.more()
	x.options = options{
		timeout: m.Timeout, delivery: m.Delivery, hasDel: m.HasDelivery, slot: int32(m.Slot), key: m.Key, wait: m.Block, route: m.Route,
		budgets: m.Budgets,
	}
	c.slot, x.opaque = x.slot, true
	for _, exit := range m.Exits {
		c.blame(exit)
		x.charge(exit)
	}
	x.settle = func() {
		p.sent.CompareAndDelete(m.ID, c)
		done(c.reply())
	}
	p.sent.Store(m.ID, c)
	if err := p.accept(ctx, c); err != nil {
		p.sent.CompareAndDelete(m.ID, c)
		return err
	}
	return nil
}

// definition is what the message calls by name, if this pool's workers can run it.
func (p *Pool) definition(m *Message) (*definition, error) {
	if m.External != (p.cfg.Command != nil) {
		return nil, p.misfit(&definition{name: m.Task, external: m.External})
	}
	if m.External {
		if def, ok := externals.Load(m.Task); ok {
			return def.(*definition), nil
		}
	} else if index, ok := serve.Registry.Index(m.Task); ok {
		return &definition{name: m.Task, index: index}, nil
	}
	return nil, fmt.Errorf("%w: %q: register tasks in package-level variables", ErrUnknownTask, m.Task)
}

// check finds what no submitter of this program can have made, since a message may have come from another one.
func (m *Message) check() error {
	bad := func(what string, got, most any) error {
		return fmt.Errorf("pool: message %d for task %q: %s %v: want 0 to %v", m.ID, m.Task, what, got, most)
	}
	b := m.Budgets
	switch {
	case len(m.Key) > maxKey:
		return bad("a key of length", len(m.Key), maxKey)
	case m.Slot < 0 || m.Slot > maxSize+1:
		return bad("Slot", m.Slot, maxSize+1)
	case m.Attempts < 0 || m.Attempts > math.MaxUint16:
		return bad("Attempts", m.Attempts, math.MaxUint16)
	case m.Delivery > AtMostOnce:
		return bad("Delivery", uint8(m.Delivery), uint8(AtMostOnce))
	case min(b.Crashes, b.OOM, b.Killed, b.Nodes) < 0 || max(b.Crashes, b.OOM, b.Killed, b.Nodes) > maxBudget:
		return bad("Budgets", b, maxBudget)
	case len(m.Exits) > 3*maxBudget:
		return bad("a number of Exits of", len(m.Exits), 3*maxBudget)
	}
	return nil
}

// Cancel cancels the task that came by Send with that ID.
func (p *Pool) Cancel(id uint64) {
	if c, ok := p.sent.Load(id); ok {
		p.cancel(c.(*call), cancelled)
	}
}

// cancelled is the context of who cancels without one.
var cancelled = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Window is how many tasks the ready workers take, at least one for each slot.
func (p *Pool) Window() int { return p.streamWindow() / 2 }

// Changed is nil: a pool's window grows as its tasks settle.
func (p *Pool) Changed() <-chan struct{} { return nil }

func (p *Pool) windowChanged() <-chan struct{} { return nil }

// reply tells how a settled call ended.
func (c *call) reply() *Reply {
	r := &Reply{Attempts: int(c.attempt), Exits: c.exits(), PID: int(c.pid), Run: c.ran, Err: c.err}
	if r.Err == nil {
		r.Kind, r.Payload = replyKinds[c.raw], c.data
	}
	return r
}

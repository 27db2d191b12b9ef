package pool

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// Remote runs tasks over a [Transport]: futures, Map, Stream and the options, as on a Pool. Make it with [NewRemote].
// It settles each task once, whatever the Transport does: a second reply is dropped, and a cancelled task's too. Safe
// for concurrent use.
type Remote struct {
	t  Transport
	id string // in the keys of its tasks

	mu    sync.Mutex
	calls map[*call]uint64 // unsettled, with the ID of their message
}

// NewRemote makes a Remote that submits to t. Its Drain and Close are t's.
func NewRemote(t Transport) *Remote {
	return &Remote{t: t, id: newID(), calls: make(map[*call]uint64)}
}

// Drain takes no new tasks and waits until the accepted ones have settled; see the Transport's.
func (r *Remote) Drain(ctx context.Context) error { return withCause(ctx, r.t.Drain(ctx)) }

// Close ends the Transport.
func (r *Remote) Close() error { return r.t.Close() }

// Outstanding is how many tasks have been submitted and not settled.
func (r *Remote) Outstanding() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.calls)
}

// messages numbers the messages of all Remotes, so that two of them can share a Transport.
var messages atomic.Uint64

// submit sends a call, or settles it with the reason why not.
func (r *Remote) submit(ctx context.Context, c *call) error {
	err := c.err
	if err == nil && ctx.Err() != nil {
		err = ended(ctx)
	}
	if err != nil {
		c.err, c.settled = err, true
		c.announce()
		return err
	}
	c.id = messages.Add(1)
	m := c.message()
	if m.Key == "" {
		m.Key = r.id + "-" + strconv.FormatUint(c.id, 10)
	}
	r.mu.Lock()
	r.calls[c] = c.id
	r.mu.Unlock()
	if err = r.t.Send(ctx, m, func(reply *Reply) { r.settle(c, reply) }); err != nil {
		c.id, err = 0, withCause(ctx, err) // it was not accepted
		r.settle(c, &Reply{Err: err})
	}
	return err
}

// withCause is err, or why ctx has ended if that is all that a Transport says.
func withCause(ctx context.Context, err error) error {
	if err != nil && err == ctx.Err() {
		return ended(ctx)
	}
	return err
}

// message is what a call is as it leaves.
func (c *call) message() *Message {
	m := &Message{
		ID: c.id, Task: c.def.name, External: c.def.external, Slot: int(c.slot), Arg: c.data, Block: c.patient,
	}
	if c.head > 0 {
		m.Arg = slices.Concat(c.inline[:c.head], c.data)
	}
	if o := c.options(); c.extra != nil {
		m.Key, m.Route, m.Timeout = o.key, o.route, o.timeout
		m.Delivery, m.HasDelivery, m.Budgets = o.delivery, o.hasDel, o.budgets
	}
	return m
}

// settle takes the first outcome that comes for a call.
func (r *Remote) settle(c *call, reply *Reply) {
	r.mu.Lock()
	_, waits := r.calls[c]
	delete(r.calls, c)
	if waits {
		c.settled = true
	}
	r.mu.Unlock()
	if !waits {
		return
	}
	c.attempt, c.pid, c.ran, c.head, c.data = uint16(reply.Attempts), int32(reply.PID), reply.Run, 0, nil
	for _, exit := range reply.Exits {
		c.blame(exit)
	}
	switch {
	case reply.Kind != ReplyFailed && int(reply.Kind) < len(replyFrames):
		c.raw, c.data = replyFrames[reply.Kind], reply.Payload
	case reply.Err != nil:
		c.err = reply.Err
	default:
		c.err = errNoReply
	}
	c.announce()
}

var errNoReply = errors.New("pool: the transport settled the task without an outcome")

// cancel settles c with ctx's error, and has the Transport cancel it.
func (r *Remote) cancel(c *call, ctx context.Context) {
	r.mu.Lock()
	id, waits := r.calls[c]
	r.mu.Unlock()
	if !waits {
		return
	}
	r.settle(c, &Reply{Err: ended(ctx)})
	r.t.Cancel(id)
}

// cancelWhenDone cancels c when ctx is done, until it has settled.
func (r *Remote) cancelWhenDone(ctx context.Context, c *call) {
	detach := context.AfterFunc(ctx, func() { r.cancel(c, ctx) })
	r.mu.Lock()
	_, waits := r.calls[c]
	if waits { // else it is being announced, which reads detach
		c.more().detach = detach
	}
	r.mu.Unlock()
	if !waits {
		detach()
	}
}

func (r *Remote) streamWindow() int              { return max(2, 2*r.t.Window()) }
func (r *Remote) windowChanged() <-chan struct{} { return r.t.Changed() }

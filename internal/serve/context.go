package serve

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// Context is a handler's context. Most handlers never look at theirs, so the machinery of cancellation is made only
// when somebody asks.
type Context struct {
	id      uint64
	seq     uint32
	attempt int
	pool    string
	key     string // packed: see wire.Carrier

	carrier atomic.Pointer[wire.Carrier] // unpacked, once somebody asks

	made      atomic.Pointer[cancellable]
	cancelled atomic.Bool
}

// cancellable is the machinery.
type cancellable struct {
	context.Context
	cancel context.CancelFunc
}

var _ context.Context = (*Context)(nil)

// real makes the cancellable context behind this one. Whichever of it and cancel comes second sees the other.
func (t *Context) real() context.Context {
	c := t.made.Load()
	if c == nil {
		c = &cancellable{}
		c.Context, c.cancel = context.WithCancel(context.Background())
		if !t.made.CompareAndSwap(nil, c) {
			c.cancel()
			c = t.made.Load()
		}
		if t.cancelled.Load() {
			c.cancel()
		}
	}
	return c.Context
}

// Deadline is the submitter's, by the clock on the wall. It is for a handler that plans ahead: the context ends when
// the parent says so. A timeout of the task is the parent's affair.
func (t *Context) Deadline() (time.Time, bool) {
	at := t.carried().Deadline
	return at, !at.IsZero()
}

// carried is what came with the task.
func (t *Context) carried() *wire.Carrier {
	if c := t.carrier.Load(); c != nil {
		return c
	}
	c := wire.DecodeCarrier(t.key)
	t.carrier.CompareAndSwap(nil, &c)
	return t.carrier.Load()
}

// Meta is the submitter's words, nil if there are none.
func (t *Context) Meta() map[string]string {
	if t == nil {
		return nil
	}
	return t.carried().Meta
}

// Done is closed when the task is cancelled, and once its handler has returned.
func (t *Context) Done() <-chan struct{} { return t.real().Done() }

// Err is context.Canceled once Done is closed.
func (t *Context) Err() error { return t.real().Err() }

// Value gives the task's facts to Attempt and Key, and everything else to the real context, so that contexts derived
// from this one attach themselves there.
func (t *Context) Value(key any) any {
	if key == (taskContextKey{}) {
		return t
	}
	return t.real().Value(key)
}

func (t *Context) cancel() {
	t.cancelled.Store(true)
	t.finish()
}

// finish releases what derived contexts attached; the handler has returned.
func (t *Context) finish() {
	if c := t.made.Load(); c != nil {
		c.cancel()
	}
}

type taskContextKey struct{}

// Of is the context of the running task that ctx is, or is derived from; nil if it is none.
func Of(ctx context.Context) *Context {
	t, _ := ctx.Value(taskContextKey{}).(*Context)
	return t
}

// Attempt is how often the task has been started, this time included; 0 if there is none.
func (t *Context) Attempt() int {
	if t == nil {
		return 0
	}
	return t.attempt
}

// Key is the task's idempotency key, "" if there is none.
func (t *Context) Key() string {
	switch {
	case t == nil:
		return ""
	case t.key != "" && t.carried().Key != "":
		return t.carried().Key
	}
	return fmt.Sprintf("%s-%d", t.pool, t.id)
}

// ID is the task's number within its pool; 0 if there is none.
func (t *Context) ID() uint64 {
	if t == nil {
		return 0
	}
	return t.id
}

// Seq is the task's number on its worker.
func (t *Context) Seq() uint32 { return t.seq }

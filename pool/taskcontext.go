package pool

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// taskContext is a handler's context. Most handlers never look at theirs, so the machinery of cancellation is made only
// when somebody asks.
type taskContext struct {
	id      uint64
	seq     uint32
	attempt int
	pool    string
	key     string

	made      atomic.Pointer[cancellable]
	cancelled atomic.Bool
}

// cancellable is the machinery.
type cancellable struct {
	context.Context
	cancel context.CancelFunc
}

var _ context.Context = (*taskContext)(nil)

// real makes the cancellable context behind this one. Whichever of it and cancel comes second sees the other.
func (t *taskContext) real() context.Context {
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

func (t *taskContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (t *taskContext) Done() <-chan struct{}       { return t.real().Done() }
func (t *taskContext) Err() error                  { return t.real().Err() }

// Value gives the task's facts to Attempt and Key, and everything else to the real context, so that contexts derived
// from this one attach themselves there.
func (t *taskContext) Value(key any) any {
	if key == (taskContextKey{}) {
		return t
	}
	return t.real().Value(key)
}

func (t *taskContext) cancel() {
	t.cancelled.Store(true)
	t.finish()
}

// finish releases what derived contexts attached; the handler has returned.
func (t *taskContext) finish() {
	if c := t.made.Load(); c != nil {
		c.cancel()
	}
}

type taskContextKey struct{}

// Attempt is how often the running task has been started, this time included: 1 for the first time, more when workers
// died with it. 0 when ctx is not a handler's.
func Attempt(ctx context.Context) int {
	if t, ok := ctx.Value(taskContextKey{}).(*taskContext); ok {
		return t.attempt
	}
	return 0
}

// Key is the running task's idempotency key: the same on every attempt, different for every submission unless [WithKey]
// set it. Under at-least-once delivery a handler with outside effects uses it to recognise work it has done already. ""
// when ctx is not a handler's.
func Key(ctx context.Context) string {
	t, ok := ctx.Value(taskContextKey{}).(*taskContext)
	if !ok {
		return ""
	}
	if t.key != "" {
		return t.key
	}
	return fmt.Sprintf("%s-%d", t.pool, t.id)
}

// TaskID is the running task's number within its pool, as in [Future.TaskID]. 0 when ctx is not a handler's.
func TaskID(ctx context.Context) uint64 {
	if t, ok := ctx.Value(taskContextKey{}).(*taskContext); ok {
		return t.id
	}
	return 0
}

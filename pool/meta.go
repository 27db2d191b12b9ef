package pool

import (
	"context"
	"fmt"
	"maps"

	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// Attempt is how often the running task has been started, this time included: 1 for the first time, more when workers
// died with it. 0 when ctx is not a handler's.
func Attempt(ctx context.Context) int { return serve.Of(ctx).Attempt() }

// Key is the running task's idempotency key: the same on every attempt, different for every submission unless [WithKey]
// set it. Under at-least-once delivery a handler with outside effects uses it to recognise work it has done already. ""
// when ctx is not a handler's.
func Key(ctx context.Context) string { return serve.Of(ctx).Key() }

// TaskID is the running task's number within its pool, as in [Future.TaskID]. 0 when ctx is not a handler's.
func TaskID(ctx context.Context) uint64 { return serve.Of(ctx).ID() }

// maxMeta bounds what WithMeta carries: the bytes of all names and values together.
const maxMeta = 1 << 10

// WithMeta has these words travel with the task to its handler, which reads them with [Meta]: a trace's identity, a
// tenant, a request's number. Names and values have at most 1 KiB together: more fails the task. Given several times,
// the later names win. Workers of another language, and tasks that go over a fleet, do not get them.
func WithMeta(meta map[string]string) Option {
	return func(o *options) {
		all := maps.Clone(o.meta)
		if all == nil {
			all = make(map[string]string, len(meta))
		}
		maps.Copy(all, meta)
		o.meta = all
	}
}

// Meta is what the submitter sent with [WithMeta], nil for nothing, or if ctx is not a handler's. The map is shared by
// those who ask in one task: do not change it.
func Meta(ctx context.Context) map[string]string { return serve.Of(ctx).Meta() }

// checkMeta finds what is too large to travel.
func (o *options) checkMeta(task string) error {
	size := 0
	for name, value := range o.meta {
		size += len(name) + len(value)
	}
	if size > maxMeta {
		return fmt.Errorf("pool: task %s: WithMeta got %d bytes: want at most %d", task, size, maxMeta)
	}
	return nil
}

// carry packs what travels with the call beside its argument: the submitter's deadline too, which its handler's context
// has.
func (c *call) carry(ctx context.Context) {
	at, has := ctx.Deadline()
	if c.def.external || !has && (c.extra == nil || c.extra.meta == nil) {
		return
	}
	m := c.more()
	m.carried = wire.Carrier{Key: m.key, Deadline: at, Meta: m.meta}.Encode()
}

// carriedKey is what goes into the call's frame in place of its key.
func (c *call) carriedKey() string {
	switch x := c.extra; {
	case x == nil:
		return ""
	case x.carried != "":
		return x.carried
	case c.def.external:
		return x.key
	default:
		return wire.Carrier{Key: x.key}.Encode()
	}
}

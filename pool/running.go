package pool

import (
	"context"

	"github.com/respawn-go/respawn/internal/serve"
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

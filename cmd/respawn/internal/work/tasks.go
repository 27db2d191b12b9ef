// Package work holds the tasks that the respawn command itself runs in its workers. It imports next to nothing, because
// every worker pays for what is initialised before it serves.
package work

import (
	"context"
	"os"
	"time"

	"github.com/respawn-go/respawn/internal/monotonic"
	"github.com/respawn-go/respawn/pool"
)

// Answer says who computed a square.
type Answer struct {
	Square int
	PID    int
}

var (
	// Square is the smallest useful task: eight bytes in, eight bytes out. It wraps around.
	Square = pool.Register("work.square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	// Probe is Square with the pid of the worker that answered.
	Probe = pool.Register("work.probe", func(_ context.Context, n int) (Answer, error) {
		return Answer{Square: n * n, PID: os.Getpid()}, nil
	})
	// PID is the smallest probe that tells one worker from another.
	PID = pool.Register("work.pid", func(context.Context, int) (int, error) { return os.Getpid(), nil })
	// Echo gives its argument back, having only read it.
	Echo = pool.Register("work.echo", func(_ context.Context, b pool.Lent) ([]byte, error) { return b, nil })
	// EchoLent gives its argument back, having only read it, to callers who may borrow it too.
	EchoLent = pool.Register("work.echo-lent",
		func(_ context.Context, b pool.Lent) (pool.Lent, error) { return b, nil })
	// EchoOwn gives its argument back, having had it for its own.
	EchoOwn = pool.Register("work.echo-own", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	// Nap sleeps and then squares, or gives up when it is cancelled.
	Nap = pool.Register("work.nap", func(ctx context.Context, n NapArg) (int, error) {
		select {
		case <-time.After(n.For):
			return n.N * n.N, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	// StartedAt answers with monotonic.Now of the moment its handler was called. On its first attempt it never returns:
	// it waits for its worker to be killed.
	StartedAt = pool.Register("work.started-at", func(ctx context.Context, _ int) (int64, error) {
		now := monotonic.Now()
		if pool.Attempt(ctx) == 1 {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return now, nil
	})
)

// NapArg is Nap's argument.
type NapArg struct {
	N   int
	For time.Duration
}

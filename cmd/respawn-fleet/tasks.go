package main

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/respawn-go/respawn/pool"
)

// The built-in tasks, for a look at a fleet without a program of one's own.
var (
	square = pool.Register("square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	sleep  = pool.Register("sleep", func(ctx context.Context, d time.Duration) (int, error) {
		select {
		case <-time.After(d):
			return 0, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
)

func credentials(file string) nats.Option { return nats.UserCredentials(file) }

package chaos

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/chaos/witness"
)

// clock is the one time base of a run: CLOCK_MONOTONIC, which every process of the host shares, less its value at the
// start.
type clock struct {
	base    int64 // CLOCK_MONOTONIC at T = 0, in ns
	started time.Time
}

func newClock() *clock { return &clock{base: witness.Now(), started: time.Now()} }

func (c *clock) now() time.Duration { return time.Duration(witness.Now() - c.base) }

// since turns a moment on CLOCK_MONOTONIC into time since the start; 0 stays 0.
func (c *clock) since(mono time.Duration) time.Duration {
	if mono == 0 {
		return 0
	}
	return mono - time.Duration(c.base)
}

// Monotonic is the moment t on CLOCK_MONOTONIC: what Watch reports in Member.At. t must have come from time.Now in this
// process.
func Monotonic(t time.Time) time.Duration {
	return time.Duration(witness.Now()) - time.Since(t)
}

// sleep waits for d, or until ctx is done, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

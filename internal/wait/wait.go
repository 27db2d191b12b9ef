// Package wait has the one wait that ends early.
package wait

import (
	"context"
	"time"
)

// For waits for d, or until ctx is done, whose error it then returns. With a d of 0 or less that is now.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

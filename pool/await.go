package pool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// notify wakes everybody in await and sleep. Pool.mu is held.
func (p *Pool) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// sleep lets go of Pool.mu until something changed or the time has come (zero: never).
func (p *Pool) sleep(until time.Time) { _ = p.sleepCtx(context.Background(), until) }

func (p *Pool) sleepCtx(ctx context.Context, until time.Time) error {
	changed := p.changed
	p.unlock()
	defer p.mu.Lock()
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-changed:
	case <-timer:
	case <-ctx.Done():
		return ended(ctx)
	}
	return nil
}

// await blocks until cond, which is called with Pool.mu held, or ctx is done.
func (p *Pool) await(ctx context.Context, cond func() bool) error {
	p.mu.Lock()
	defer p.unlock()
	for !cond() {
		if err := p.sleepCtx(ctx, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// ended is the error of a context that is done, with its cause if it was given one.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

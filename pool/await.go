package pool

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// notify wakes everybody in await and sleep.
func (st *state) notify() {
	close(st.changed)
	st.changed = make(chan struct{})
}

// sleep lets go of the lock until something changed or the time has come (zero: never).
func (st *state) sleep(until time.Time) { _ = st.sleepCtx(context.Background(), until) }

func (st *state) sleepCtx(ctx context.Context, until time.Time) error {
	changed := st.changed
	st.unlock()
	defer st.lock()
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

// await blocks until cond or ctx is done.
func (p *Pool) await(ctx context.Context, cond func(*state) bool) error {
	st := p.lock()
	defer st.unlock()
	for !cond(st) {
		if err := st.sleepCtx(ctx, time.Time{}); err != nil {
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

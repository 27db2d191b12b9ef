package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/pool"
)

// inSlot is the slot's ready worker; false when there is none just now.
func inSlot(p *pool.Pool, slot int) (pool.WorkerInfo, bool) {
	for _, w := range p.Workers() {
		if w.Slot == slot && w.State == pool.Ready {
			return w, true
		}
	}
	return pool.WorkerInfo{}, false
}

// aim takes hold of w's process and returns what sends SIGKILL to it, once. The process is held first and w looked for
// again, since a number alone may be another's by now.
func aim(p *pool.Pool, w pool.WorkerInfo) (kill func() error, err error) {
	process, err := os.FindProcess(w.PID)
	if err != nil {
		return nil, err
	}
	if now, ok := inSlot(p, w.Slot); !ok || now.PID != w.PID {
		_ = process.Release()
		return nil, fmt.Errorf("kill %v: it is not there any more", w)
	}
	return func() error {
		defer process.Release()
		return process.Kill()
	}, nil
}

// kill sends SIGKILL to w, and tells whether it was there still.
func kill(p *pool.Pool, w pool.WorkerInfo) bool {
	kill, err := aim(p, w)
	return err == nil && kill() == nil
}

// probe has the slot answer a task and returns the pid that did.
func probe(ctx context.Context, p *pool.Pool, slot int) (pid int, err error) {
	return work.PID.Call(ctx, p, slot, pool.OnSlot(slot))
}

// probeAll has every slot answer.
func probeAll(ctx context.Context, p *pool.Pool) error {
	for slot := range p.Size() {
		if _, err := probe(ctx, p, slot); err != nil {
			return fmt.Errorf("probe slot %d: %w", slot, err)
		}
	}
	return nil
}

// until waits for cond, which the pool's events may make true.
func until(ctx context.Context, cond func() bool) error {
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

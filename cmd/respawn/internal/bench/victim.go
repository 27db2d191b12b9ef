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

// kill sends SIGKILL to w. The process is held first and w looked for again, since a number alone may be another's by now.
func kill(p *pool.Pool, w pool.WorkerInfo) bool {
	process, err := os.FindProcess(w.PID)
	if err != nil {
		return false
	}
	defer process.Release()
	now, ok := inSlot(p, w.Slot)
	return ok && now.PID == w.PID && process.Kill() == nil
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

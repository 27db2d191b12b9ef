package driver

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// stillFor is how long the workers are stopped. Whoever answers in their name does so within it, or is not found out.
const stillFor = 200 * time.Millisecond

// Prove stops all workers that the driver named, sends it tasks, and lets them go on. An answer that comes in between is
// nobody's of them: it is a [*Violation], and nothing that the driver says of its workers proves anything. The tasks, which
// are numbered from first on, have their outcome once a worker has run them.
func (d *Driver) Prove(ctx context.Context, first uint64) ([]*Future, error) {
	workers := d.Ready()
	defer d.still(workers)()
	var futures []*Future
	for i := range workers {
		f, err := d.Submit(first+uint64(i), "square", map[string]any{"n": 3})
		if err != nil {
			return nil, err
		}
		futures = append(futures, f)
	}
	select {
	case <-time.After(stillFor):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, f := range futures {
		select {
		case <-f.done:
			if f.err == nil && (!d.Can("pid") || slices.Contains(workers, f.answer.PID)) {
				return nil, d.wrong(Pretence, f.answer.Line, "result", "a task was answered while every worker was stopped: run tasks in the workers that ready names")
			}
		default:
		}
	}
	return futures, nil
}

// still stops the workers and waits until they are. The function that it returns lets them go on.
func (d *Driver) still(pids []int) (resume func()) {
	var all []*foreign.Held
	deadline := time.Now().Add(time.Second)
	for _, pid := range pids {
		held, err := foreign.Hold(pid)
		if err != nil {
			continue // gone
		}
		all = append(all, held)
		if !d.Owns(pid) || held.Signal(unix.SIGSTOP) != nil {
			continue
		}
		for time.Now().Before(deadline) && !held.Gone() {
			if stopped, err := procfs.Stopped(pid); stopped || err != nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	return func() {
		for _, held := range all {
			_ = held.Signal(unix.SIGCONT)
			held.Release()
		}
	}
}

package pooltest

import (
	"fmt"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/pool"
)

// Kill ends the slot's worker by SIGKILL and returns how it was listed. It returns once the pool has recorded the exit,
// so that what is asserted next is about the time after the death. The error says why there was nobody to kill: no such
// slot, no ready worker in it, or one that ended by itself that moment.
func Kill(p *pool.Pool, slot int) (pool.WorkerInfo, error) {
	events := p.Subscribe(1 << 16)
	defer events.Close()
	victim, err := Signal(p, slot, syscall.SIGKILL)
	if err != nil {
		return victim, err
	}
	late := time.NewTimer(exitWait)
	defer late.Stop()
	for {
		select {
		case e, ok := <-events.C:
			if !ok || e.Kind == pool.WorkerExited && e.Worker.Name == victim.Name {
				return victim, nil
			}
		case <-late.C:
			return victim, fmt.Errorf("%v was sent SIGKILL and is not recorded as exited after %v", victim, exitWait)
		}
	}
}

// exitWait is longer than the pool takes to give up on a process that cannot be reaped.
const exitWait = 10 * time.Second

// Signal sends a signal to the slot's worker, and to nobody else: a process is held by a pidfd, and then looked up
// again in a fresh listing, before it is signalled. It returns the worker as it was listed.
func Signal(p *pool.Pool, slot int, sig syscall.Signal) (pool.WorkerInfo, error) {
	w, err := ready(p, slot)
	if err != nil {
		return w, err
	}
	if workers, ok := inProcess.Load(p); ok {
		err = workers.(*pool.InProcessWorkers).Kill(w.PID, sig)
	} else {
		err = pidfd.SignalIf(w.PID, sig, func() bool {
			now, err := ready(p, slot)
			return err == nil && now.Name == w.Name
		})
	}
	if err != nil {
		return w, fmt.Errorf("send %v to %v: %w", sig, w, err)
	}
	return w, nil
}

// ready is the slot's worker.
func ready(p *pool.Pool, slot int) (pool.WorkerInfo, error) {
	for _, w := range p.Workers() {
		if w.Slot == slot && w.State == pool.Ready {
			return w, nil
		} else if w.Slot == slot {
			return w, fmt.Errorf("slot %d has no ready worker: %v", slot, w)
		}
	}
	return pool.WorkerInfo{}, fmt.Errorf("slot %d: %w", slot, pool.ErrNoSuchSlot)
}

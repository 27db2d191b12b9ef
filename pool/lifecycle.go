package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// retire asks w to stop: it gets nothing new, what it has not started goes back to the queue, and once it has finished
// what it is running it exits. Pool.mu is held.
func (p *Pool) retire(w *worker, reason Reason) {
	if w.state != Ready {
		return
	}
	w.reason = reason
	p.withdraw(w)
	p.publish(Event{Kind: WorkerRetiring, Worker: w.info(), Reason: reason})
	if w.flight.count == 0 || w.asked {
		p.stopWorker(w)
	}
	p.dispatch()
	p.notify()
}

// withdraw takes a ready worker out of service: it gets nothing new, and what it has not started goes back to the queue.
// The caller dispatches. Pool.mu is held.
func (p *Pool) withdraw(w *worker) {
	w.state = Retiring
	if w.slot == nil {
		p.offBench(w)
	} else {
		p.ready--
	}
	p.notIdle(w)
	p.revoke(w)
}

// stopWorker tells a worker that has nothing left to do to exit, and kills it if it does not. Pool.mu is held.
func (p *Pool) stopWorker(w *worker) {
	if w.stopSent || !w.died.IsZero() {
		return
	}
	w.stopSent = true
	if !w.asked {
		w.proc.Control(wire.Control{Kind: wire.ControlStop})
	}
	w.stopKill = p.after(p.cfg.StopGrace, func() { w.kill(ReasonStop) })
}

// Resize changes how many workers the pool has, 1 to 100,000. It returns at once: new workers come up in the
// background, and surplus ones, from the highest slot down, finish their task and exit; a busy worker is never killed
// for it.
func (p *Pool) Resize(n int) error {
	if n < 1 || n > maxSize {
		return fmt.Errorf("pool: Resize to %d: want 1 to %d", n, maxSize)
	}
	p.mu.Lock()
	defer p.unlock()
	if p.state != stateOpen {
		return ErrClosed
	}
	for len(p.slots) < n {
		p.addSlot()
	}
	for len(p.slots) > n {
		p.removeSlot()
	}
	p.breakerRest()
	p.dispatch()
	p.notify()
	return nil
}

// removeSlot takes the highest slot out of the pool. Pool.mu is held.
func (p *Pool) removeSlot() {
	s := p.slots[len(p.slots)-1]
	p.slots = p.slots[:len(p.slots)-1]
	s.removed = true
	if s.worker != nil {
		p.retire(s.worker, ReasonStop)
		if p.cfg.mutant == mutantKillOnShrink {
			s.worker.kill(ReasonStop)
		}
	}
	for c := s.pinned.front(); c != nil; c = s.pinned.front() {
		p.fail(c, slotRemoved(s.index))
	}
}

func slotRemoved(index int) error {
	return fmt.Errorf("%w: %d was removed by Resize", ErrNoSuchSlot, index)
}

// Restart replaces every worker that was started before the call, one slot after the other: each finishes its task and
// exits, and its replacement is ready before the next one is asked to. No task fails for it. Replacements are the executable that
// this process runs, whatever has been deployed in its place since: to load that, set [Config.Program]. It returns when all of them
// have been replaced, or ctx's error; ErrClosed when the pool is closed meanwhile.
func (p *Pool) Restart(ctx context.Context) error {
	called := time.Now()
	for i := 0; ; i++ {
		s, err := p.slotAt(i)
		if s == nil {
			return err
		}
		err = p.await(ctx, func() bool {
			if p.state != stateOpen || s.removed {
				return true
			}
			if s.worker == nil || s.worker.state != Ready {
				return false
			}
			if s.worker.started.After(called) {
				return true
			}
			p.retire(s.worker, ReasonRestart) // a hot spare may be as old, and its turn comes next
			return false
		})
		if err != nil {
			return err
		}
	}
}

// slotAt is the i-th slot; nil when there is none, with ErrClosed if the pool takes no tasks any more.
func (p *Pool) slotAt(i int) (*slot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.state != stateOpen:
		return nil, ErrClosed
	case i >= len(p.slots):
		return nil, nil
	}
	return p.slots[i], nil
}

// Drain takes no new tasks (ErrClosed from now on), waits until every accepted one has settled, and stops the workers.
// When ctx ends first it returns ctx's error and the pool goes on draining; Close or Terminate end it. It returns ErrClosed
// when Terminate ended tasks that had been accepted.
func (p *Pool) Drain(ctx context.Context) error {
	return p.drain(ctx, func() bool { return false })
}

// drain is Drain, and returns context.DeadlineExceeded when it takes too long.
func (p *Pool) drain(ctx context.Context, late func() bool) error {
	wait := func(cond func() bool) error {
		var done bool
		err := p.await(ctx, func() bool { done = cond(); return done || late() })
		if err == nil && !done {
			err = context.DeadlineExceeded
		}
		return err
	}
	p.mu.Lock()
	p.state = max(p.state, stateDraining)
	p.notify()
	p.unlock()
	if err := wait(func() bool { return p.live == 0 || p.cfg.mutant == mutantCloseAtOnce }); err != nil {
		return err
	}
	p.mu.Lock()
	p.state = max(p.state, stateStopping)
	for w := range p.workers {
		p.dismiss(w)
	}
	p.notify()
	p.unlock()
	if err := wait(func() bool { return len(p.workers) == 0 }); err != nil {
		return err
	}
	p.finish()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return fmt.Errorf("%w: Terminate ended tasks that were not done", ErrClosed)
	}
	return nil
}

// dismiss ends a worker of a pool that has nothing left to do. Pool.mu is held.
func (p *Pool) dismiss(w *worker) {
	switch {
	case w.state == Ready:
		p.retire(w, ReasonStop)
	case w.state == Starting:
		w.kill(ReasonStop)
	}
}

// Close finishes what was submitted and stops the workers: Drain, bounded by Config.CloseTimeout, then Terminate. It
// returns nil when everything settled by itself. Closing twice is fine. A program that replaces itself by execve(2) closes its
// pools first: the workers end by themselves, but the new program is not the one that reaps them, and they stay zombies.
func (p *Pool) Close() error {
	late := false
	p.mu.Lock()
	timeout := p.after(p.cfg.CloseTimeout, func() {
		late = true
		p.notify()
	})
	p.unlock()
	err := p.drain(context.Background(), func() bool { return late })
	p.mu.Lock()
	p.calm(timeout)
	p.unlock()
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	p.Terminate()
	return fmt.Errorf("%w: not drained within Config.CloseTimeout, %v, and what was left was terminated: %w", ErrClosed, p.cfg.CloseTimeout, err)
}

// Terminate stops now: every worker and all it started is killed, but what has cleared its environment and left the process
// group (without a cgroup), and every unsettled future fails with ErrClosed. It
// returns when all of them are gone. Terminating twice is fine.
func (p *Pool) Terminate() {
	p.mu.Lock()
	p.state = stateClosed
	p.cut = p.cut || p.live > 0
	for w := range p.workers {
		w.flight.newestFirst(func(seq uint32, c *call) {
			if w.unstart(seq, c) {
				w.forget(seq, c)
				if !c.settled {
					c.attempt--
				}
			}
			p.fail(c, ErrClosed)
		})
	}
	for c := p.queue.front(); c != nil; c = p.queue.front() {
		p.fail(c, ErrClosed)
	}
	for _, s := range p.slots {
		for c := s.pinned.front(); c != nil; c = s.pinned.front() {
			p.fail(c, ErrClosed)
		}
	}
	for w := range p.workers {
		w.kill(ReasonStop)
	}
	p.notify()
	p.unlock()
	p.finish()
}

// finish waits until every supervisor is done and releases what the pool itself holds.
func (p *Pool) finish() {
	p.wg.Wait()
	p.finishOnce.Do(func() {
		close(p.stopped)
		p.sweep()
		p.guardian.Close()
		p.launch.Close()
		p.bus.close()
		p.journal.wait()
		p.stdout.wait()
		p.stderr.wait()
	})
	<-p.stopped
}

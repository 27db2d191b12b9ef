package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// retire asks w to stop: it gets nothing new, what it has not started goes back to the queue, and once it has finished
// what it is running it exits.
func (st *state) retire(w *worker, reason Reason) {
	if w.state != Ready {
		return
	}
	w.reason = reason
	st.withdraw(w)
	st.publish(Event{Kind: WorkerRetiring, Worker: w.info(), Reason: reason})
	if w.flight.count == 0 || w.asked {
		st.stopWorker(w)
	}
	st.dispatch()
	st.notify()
}

// withdraw takes a ready worker out of service: it gets nothing new, and what it has not started goes back to the
// queue. The caller dispatches.
func (st *state) withdraw(w *worker) {
	w.state = Retiring
	if w.slot == nil {
		st.offBench(w)
	} else {
		st.ready--
	}
	st.countWindow(w)
	st.notIdle(w)
	st.revoke(w)
}

// stopWorker tells a worker that has nothing left to do to exit, and kills it if it does not.
func (st *state) stopWorker(w *worker) {
	if w.stopSent || !w.died.IsZero() {
		return
	}
	w.stopSent = true
	if !w.asked {
		w.proc.Control(wire.Control{Kind: wire.ControlStop})
	}
	w.stopKill = st.after(st.cfg.StopGrace, func() { w.kill(st, ReasonStop) })
}

// Resize changes how many workers the pool has, 1 to 100,000. It returns at once: new workers come up in the
// background, and surplus ones, from the highest slot down, finish their task and exit; a busy worker is never killed
// for it.
func (p *Pool) Resize(n int) error {
	if n < 1 || n > maxSize {
		return fmt.Errorf("pool: Resize to %d: want 1 to %d", n, maxSize)
	}
	st := p.lock()
	defer st.unlock()
	if st.stage != stateOpen {
		return ErrClosed
	}
	for len(st.slots) < n {
		st.addSlot()
	}
	for len(st.slots) > n {
		st.removeSlot()
	}
	st.closeIfFull()
	st.dispatch()
	st.notify()
	return nil
}

// removeSlot takes the highest slot out of the pool.
func (st *state) removeSlot() {
	s := st.slots[len(st.slots)-1]
	st.slots = st.slots[:len(st.slots)-1]
	s.removed = true
	if s.worker != nil {
		st.retire(s.worker, ReasonStop)
		if st.cfg.mutant == mutantKillOnShrink {
			s.worker.kill(st, ReasonStop)
		}
	}
	for c := s.pinned.front(); c != nil; c = s.pinned.front() {
		st.fail(c, slotRemoved(s.index))
	}
}

func slotRemoved(index int) error {
	return fmt.Errorf("%w: %d was removed by Resize", ErrNoSuchSlot, index)
}

// Restart replaces every worker that was started before the call, one slot after the other: each finishes its task and
// exits, and its replacement is ready before the next one is asked to. No task fails for it. Replacements are the
// executable that this process runs, whatever has been deployed in its place since: to load that, set [Config.Program].
// It returns when all of them have been replaced, or ctx's error; ErrClosed when the pool is closed meanwhile.
func (p *Pool) Restart(ctx context.Context) error {
	called := time.Now()
	for i := 0; ; i++ {
		s, err := p.slotAt(i)
		if s == nil {
			return err
		}
		err = p.await(ctx, func(st *state) bool {
			if st.stage != stateOpen || s.removed {
				return true
			}
			if s.worker == nil || s.worker.state != Ready {
				return false
			}
			if s.worker.started.After(called) {
				return true
			}
			st.retire(s.worker, ReasonRestart) // a hot spare may be as old, and its turn comes next
			return false
		})
		if err != nil {
			return err
		}
	}
}

// slotAt is the i-th slot; nil when there is none, with ErrClosed if the pool takes no tasks any more.
func (p *Pool) slotAt(i int) (*slot, error) {
	st := p.lock()
	defer st.unlock()
	switch {
	case st.stage != stateOpen:
		return nil, ErrClosed
	case i >= len(st.slots):
		return nil, nil
	}
	return st.slots[i], nil
}

// Drain takes no new tasks (ErrClosed from now on), waits until every accepted one has settled, and stops the workers.
// When ctx ends first it returns ctx's error and the pool goes on draining; Close or Terminate end it. It returns
// ErrClosed when Terminate ended tasks that had been accepted.
func (p *Pool) Drain(ctx context.Context) error {
	return p.drain(ctx, func() bool { return false })
}

// drain is Drain, and returns context.DeadlineExceeded when it takes too long.
func (p *Pool) drain(ctx context.Context, late func() bool) error {
	wait := func(cond func(*state) bool) error {
		var done bool
		err := p.await(ctx, func(st *state) bool { done = cond(st); return done || late() })
		if err == nil && !done {
			err = context.DeadlineExceeded
		}
		return err
	}
	st := p.lock()
	st.stage = max(st.stage, stateDraining)
	st.notify()
	st.unlock()
	if err := wait(func(st *state) bool { return st.live == 0 || p.cfg.mutant == mutantCloseAtOnce }); err != nil {
		return err
	}
	st = p.lock()
	st.stage = max(st.stage, stateStopping)
	for w := range st.workers {
		st.dismiss(w)
	}
	st.notify()
	st.unlock()
	if err := wait(func(st *state) bool { return len(st.workers) == 0 }); err != nil {
		return err
	}
	p.finish()
	st = p.lock()
	defer st.unlock()
	if st.cut {
		return fmt.Errorf("%w: Terminate ended tasks that were not done", ErrClosed)
	}
	return nil
}

// dismiss ends a worker of a pool that has nothing left to do.
func (st *state) dismiss(w *worker) {
	switch {
	case w.state == Ready:
		st.retire(w, ReasonStop)
	case w.state == Starting:
		w.kill(st, ReasonStop)
	}
}

// Close finishes what was submitted and stops the workers: Drain, bounded by Config.CloseTimeout, then Terminate. It
// returns nil when everything settled by itself. Closing twice is fine. A program that replaces itself by execve(2)
// closes its pools first: the workers end by themselves, but the new program is not the one that reaps them, and they
// stay zombies.
func (p *Pool) Close() error {
	late := false
	st := p.lock()
	timeout := st.after(st.cfg.CloseTimeout, func() {
		late = true
		st.notify()
	})
	st.unlock()
	err := p.drain(context.Background(), func() bool { return late })
	st = p.lock()
	st.stopAlarm(timeout)
	st.unlock()
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	p.Terminate()
	return fmt.Errorf("%w: not drained within Config.CloseTimeout, %v, and what was left was terminated: %w",
		ErrClosed, p.cfg.CloseTimeout, err)
}

// Terminate stops now: every worker and all it started is killed, but what has cleared its environment and left the
// process group (without a cgroup), and every unsettled future fails with ErrClosed. It returns when all of them are
// gone. Terminating twice is fine.
func (p *Pool) Terminate() {
	st := p.lock()
	st.stage = stateClosed
	st.cut = st.cut || st.live > 0
	for w := range st.workers {
		w.flight.newestFirst(func(seq uint32, c *call) {
			if w.unstart(seq, c) {
				w.forget(st, seq, c)
				if !c.settled {
					c.attempt--
				}
			}
			st.fail(c, ErrClosed)
		})
	}
	for c := st.queue.front(); c != nil; c = st.queue.front() {
		st.fail(c, ErrClosed)
	}
	for _, s := range st.slots {
		for c := s.pinned.front(); c != nil; c = s.pinned.front() {
			st.fail(c, ErrClosed)
		}
	}
	for w := range st.workers {
		w.kill(st, ReasonStop)
	}
	st.notify()
	st.unlock()
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
		p.journal.Wait(logWait)
		p.stdout.Wait(passThroughWait)
		p.stderr.Wait(passThroughWait)
	})
	<-p.stopped
}

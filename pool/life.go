package pool

import (
	"cmp"
	"errors"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"
)

var errHungUp = errors.New("closed its socket and did not exit")

// maxAttempts ends a task that came back from a dead worker this often without being blamed for the death, started or
// not: honest workers do not come near it.
const maxAttempts = 100

// A worker's end is told here in its order, which docs/architecture.md tells too: reap finds the process dead and
// collects what is known of it, while its reader takes in what it had answered; whoever looks after the worker waits
// for that (awaitEnd) and buries it, which blames one task at most and sends the others again (afterDeath); then its
// resources are released, and its slot goes on.

// death is what is known of the end of a process.
type death struct {
	status   process.Status
	oom      uint64 // OOM kills in its cgroup
	stderr   string // the tail of it
	unreaped bool   // it could not be reaped in time and is given up; the rest is not known
}

// reap waits for the end of the process. From its death on the pool sends it no more tasks, and does not kill it, which
// would be what it died of in the record, however long its output keeps that waiting.
func (w *worker) reap() {
	w.proc.AwaitDeath()
	st := w.p.lock()
	w.died = time.Now()
	w.callReader()
	st.notIdle(w)
	st.unlock()
	w.death.status = w.proc.Wait()
	w.proc.StopReading()
	w.proc.HangUp()
	<-w.drained
	w.death.oom, w.death.stderr = w.proc.OomKills(), w.proc.StderrTail()
	close(w.exited)
}

// awaitEnd waits for the end of a worker, buries it, and has what it held released beside what comes next. A worker
// that cannot be reaped in time is waited for by nobody but a goroutine.
func (p *Pool) awaitEnd(w *worker) Exit {
	var d death
	select {
	case <-w.exited:
		d = w.death
	case <-w.stuck:
		d.unreaped = true
	}
	exit := p.bury(w, d)
	p.wg.Go(func() { // beside the replacement's start
		p.guardForget(w)
		if !d.unreaped {
			w.release()
		}
	})
	if d.unreaped {
		go func() { <-w.exited; w.release() }()
	}
	return exit
}

// bury settles the affairs of a worker that is dead, its socket drained: the running task is blamed, what was not
// started goes back to the front of the queue, and the exit is recorded. It does not touch any other worker.
func (p *Pool) bury(w *worker, d death) Exit {
	st := p.lock()
	defer st.unlock()
	exit := w.exitRecord(d)
	guilty := w.guilty()
	if exit.Reason == ReasonTimeout { // and not the one that it may have begun before the signal came
		guilty = w.flight.get(w.overdue)
	}
	if guilty != nil {
		exit.TaskID, exit.Task, exit.Since = guilty.id, guilty.def.name, st.clock.toWall(w.headSince)
	}
	guilty = st.cfg.mutant.shift(w, guilty)
	w.charged = guilty != nil

	if w.state == Ready {
		st.ready--
	}
	st.notIdle(w)
	for _, a := range []*alarm{w.stopKill, w.quarantine, w.hangUp, w.settling} {
		st.stopAlarm(a)
	}
	w.state, w.lastExit = Stopped, &exit
	st.countWindow(w)
	if d.unreaped {
		w.state = Quarantined
		st.publish(Event{Kind: WorkerQuarantined, Worker: w.info(), Exit: &exit})
	}
	w.flight.newestFirst(func(seq uint32, c *call) {
		started := !w.unstart(seq, c)
		w.forget(st, seq, c)
		if !c.settled {
			st.afterDeath(c, exit, started, c == guilty)
		}
	})
	if st.cfg.mutant == mutantDropRequeue {
		st.queue = queue{}
	}
	st.cfg.mutant.collateral(st, w)
	st.countBusy(w)
	delete(st.workers, w)
	if w.slot != nil && w.slot.worker == w {
		w.slot.lastExit, w.slot.worker = &exit, nil
	}
	st.stats.countExit(exit)
	st.publish(Event{Kind: WorkerExited, Worker: w.info(), Exit: &exit, Reason: exit.Reason})
	w.board = nil
	st.dispatch()
	st.notify()
	return exit
}

// exitRecord makes the record of w's end.
func (w *worker) exitRecord(d death) Exit {
	x := Exit{
		Worker: w.name, Generation: w.gen, Slot: -1, PID: w.proc.PID(), At: w.died, Reason: w.reason, Asked: w.asked,
		Settled: w.settled,
		Code:    unknownCode,
	}
	if w.slot != nil {
		x.Slot = w.slot.index
	}
	if x.At.IsZero() {
		x.At = time.Now()
	}
	if !d.unreaped {
		st := d.status
		x.Code, x.Signal, x.UserTime, x.SystemTime, x.MaxRSS = st.Code, st.Signal, st.User, st.System, Bytes(st.MaxRSS)
		x.Stderr, x.Stopped = d.stderr, st.Stopped
		unknown := st.Code == unknownCode
		if killed := w.killed && (st.Signal == syscall.SIGKILL || unknown); !killed &&
			!(w.stopSent && (st.Code == 0 || unknown)) {
			x.Reason = ReasonNone // it ended by itself before the pool came to end it
		}
	}
	x.classify(d.oom, w.p.cfg.HardMemory > 0 && w.proc.Cgroup() == "")
	return x
}

// guilty is the task that was running when w died. A worker that lies about it, or says that nothing runs, is charged
// for the oldest task that it has started and not answered.
func (w *worker) guilty() (c *call) {
	phase, seq := w.board.Running()
	if phase == wire.PhaseRunning || phase == wire.PhaseWriting {
		if c = w.flight.get(seq); c != nil {
			return c
		}
	}
	w.flight.newestFirst(func(seq uint32, started *call) {
		if started.begun || !w.board.Unstarted(seq) {
			c = started
		}
	})
	return c
}

// afterDeath decides on a task whose worker died: run again or settled as lost.
func (st *state) afterDeath(c *call, exit Exit, started, guilty bool) {
	if !started && st.cfg.mutant != mutantBlameAll {
		c.attempt--
		if c.more().returns++; c.unblamed() < maxAttempts {
			st.requeueEvent(c, false)
		} else {
			st.lose(c, exit)
		}
		return
	}
	if guilty {
		switch exit.Reason {
		case ReasonTimeout:
			c.blame(exit)
			st.fail(c, &TimeoutError{Task: c.def.name, Timeout: st.timeout(c), Exit: exit})
			return
		case ReasonNone, ReasonStall, ReasonProtocol:
			c.blame(exit)
		default:
			if exit.Asked {
				c.blame(exit)
			}
		}
	}
	if st.stage == stateClosed {
		st.fail(c, ErrClosed)
		return
	}
	if st.spent(c, exit, guilty) {
		st.lose(c, exit)
		return
	}
	st.requeueEvent(c, guilty)
}

// lose settles a task that must not run again.
func (st *state) lose(c *call, exit Exit) {
	if len(c.exits()) == 0 {
		c.blame(exit)
	}
	err := &WorkerLostError{Task: c.def.name, Attempts: int(c.attempt), Exits: c.exits()}
	st.stats.Lost++
	st.publish(Event{Kind: TaskLost, TaskID: c.id, Exit: &exit, Err: err})
	st.fail(c, err)
}

// spent charges a death to the guilty task's budgets, and tells whether the task must not run again.
func (st *state) spent(c *call, exit Exit, guilty bool) bool {
	delivery := st.cfg.Delivery
	if o := c.options(); o.hasDel {
		delivery = o.delivery
	}
	if delivery == AtMostOnce && st.cfg.mutant != mutantResend || !guilty && c.unblamed() >= maxAttempts {
		return true
	}
	if !guilty || st.cfg.mutant == mutantNoBudget {
		return false
	}
	x := c.more()
	x.charge(exit)
	b, own := st.cfg.Budgets, x.budgets
	return int(x.crashes) >= cmp.Or(own.Crashes, b.Crashes) || int(x.ooms) >= cmp.Or(own.OOM, b.OOM) ||
		int(x.kills) >= cmp.Or(own.Killed, b.Killed)
}

// charge counts a death against the budget of its kind.
func (x *extra) charge(exit Exit) {
	switch {
	case exit.Kind == KindOOM:
		x.ooms++
	case exit.Reason == ReasonStall || exit.Reason == ReasonProtocol:
		x.crashes++
	case exit.fromOutside(), exit.Reason != ReasonNone && exit.Asked: // whoever sent SIGTERM wanted it dead
		x.kills++
	case exit.Reason != ReasonNone:
	default:
		x.crashes++
	}
}

func (st *state) requeueEvent(c *call, blamed bool) {
	st.stats.Requeued++
	st.publish(Event{Kind: TaskRequeued, TaskID: c.id, Blamed: blamed})
	st.requeue(c)
}

// release gives back what w's process holds, once nobody is writing to it.
func (w *worker) release() {
	st := w.p.lock()
	defer st.unlock()
	w.released = true
	if !w.writing && st.cfg.mutant != mutantLeak {
		w.proc.Close()
	}
}

// tend sees a worker that came up to its end, and reports what that says about workers.
func (p *Pool) tend(w *worker) ending {
	exit := p.awaitEnd(w)
	st := p.lock()
	defer st.unlock()
	end := w.ending(exit)
	if end == endGood {
		st.breaker.EndRow()
	}
	switch {
	case end == endBad:
		st.fails(&BootError{Worker: w.name, Reason: "died right after it was ready", Exit: exit, Err: w.rejected},
			false, w.probe)
	case w.probe && end == endGood:
		st.staysUp(w)
	case w.probe:
		st.breaker.NoProbe()
	}
	st.failIfDeserted()
	st.closeIfFull() // a slot that is gone sends no probe
	st.notify()
	return end
}

package pool

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// guilty is the task that the worker was running when it died; nil when none was.
func (w *simProcess) guilty() *simExec {
	if n := len(w.execs); n > 0 && w.dead && w.execs[n-1].sent.IsZero() {
		return w.execs[n-1]
	}
	return nil
}

// eachExit visits what the pool says of each worker's end, and that worker.
func (s *simulation) eachExit(visit func(*Exit, *simProcess)) {
	for _, e := range s.events {
		if e.Kind != WorkerExited {
			continue
		}
		if w := s.byPID[e.Exit.PID]; w != nil {
			visit(e.Exit, w)
		}
	}
}

// charge is the budget that an exit is charged to; "" is none.
func charge(x *Exit) string {
	switch {
	case x.Kind == KindOOM:
		return "oom"
	case x.Reason == ReasonStall, x.Reason == ReasonProtocol:
		return "crash"
	case x.fromOutside(), x.Reason != ReasonNone && x.Asked:
		return "kill"
	case x.Reason != ReasonNone:
		return ""
	}
	return "crash"
}

// overBudget tells whether a task outlived its budgets, or was given up before they were spent.
func (s *simulation) overBudget(t *simTask) string {
	budgets := s.plan.cfg.withDefaults().Budgets
	limit := map[string]int{"oom": budgets.OOM, "crash": budgets.Crashes, "kill": budgets.Killed}
	count := map[string]int{}
	spent := 0
	for _, e := range t.execs {
		x := e.w.exit
		if x == nil || e.w.guilty() != e || e.w.lied {
			continue
		}
		if kind := charge(x); kind != "" {
			if count[kind]++; count[kind] == limit[kind] {
				spent++
			}
		}
		for kind, n := range count {
			if n > limit[kind] {
				return fmt.Sprintf("charged with %d deaths by %s, the budget is %d", n, kind, limit[kind])
			}
		}
	}
	var lost *WorkerLostError
	if errors.As(t.err, &lost) && t.delivery == AtLeastOnce && spent == 0 && !t.ranOnLiar() {
		return fmt.Sprintf("given up with %v of %v", count, limit)
	}
	if t.known && t.answered() && spent > 0 {
		return fmt.Sprintf("run again with %v of %v", count, limit)
	}
	return ""
}

// ranOnLiar tells whether a worker that ran the task sent what no worker should: who is to blame there is not known.
func (t *simTask) ranOnLiar() bool {
	for _, e := range t.execs {
		if e.w.lied {
			return true
		}
	}
	return false
}

// checkBlame holds the exits that tasks are blamed for against what was running.
func checkBlame(s *simulation, violated func(string, ...any)) {
	s.eachExit(func(x *Exit, w *simProcess) {
		var want uint64
		if e := w.guilty(); e != nil {
			want = e.id
		}
		if x.TaskID != want && !w.lied {
			violated("%v blames task %d, it ran %d", x, x.TaskID, want)
		}
	})
	s.eachTask(func(t *simTask) {
		for _, x := range t.outcome.Exits {
			w, innocent := s.byPID[x.PID], true
			for _, e := range t.execs {
				if e.w == w && (w.guilty() == e || w.lied || t.delivery == AtMostOnce) {
					innocent = false
				}
			}
			if innocent {
				violated("task %d is blamed for %v", t.n, x)
			}
		}
		if t.accepted && t.outcome.Attempts != len(t.execs) {
			violated("task %d was started %d times and says %d", t.n, len(t.execs), t.outcome.Attempts)
		}
	})
}

// unjustified tells why the pool should not have ended this worker; "" when it may.
func (s *simulation) unjustified(x *Exit, w *simProcess) string {
	c := s.plan.cfg.withDefaults()
	ran := len(w.execs)
	switch x.Reason {
	case ReasonNone:
		return when(w.byPool, "the pool killed it without a reason")
	case ReasonStop:
		return when(s.closing.IsZero() && !s.shrunk && !w.termed, "nobody stopped anything")
	case ReasonRecycle:
		ended := w.diedAt
		if w.unreapable { // as far as the pool can tell it lived until then
			ended = w.killedAt
		}
		old := c.MaxAge > 0 && ended.Sub(w.born) >= c.MaxAge
		fat := c.SoftMemory > 0 && Bytes(w.Resident()) > c.SoftMemory
		return when(!old && !fat && (c.MaxTasks == 0 || ran < c.MaxTasks), "it was not due")
	case ReasonRestart:
		return when(!s.restarted, "nobody restarted the pool")
	case ReasonTimeout:
		return when(ran == 0 || s.timeoutOf(w.execs[ran-1].task) == 0, "it ran nothing with a timeout")
	case ReasonCancel:
		return when(ran == 0 || w.execs[ran-1].task.cancel == 0 && !w.execs[ran-1].task.loose, "it ran nothing that was cancelled")
	case ReasonStall:
		still := w.stoppedFor(max(c.Heartbeat, keeperTick))
		return when(!w.unreapable && !w.lied && (still == 0 || still < c.Heartbeat/4), "it was not stopped")
	case ReasonProtocol:
		return when(!w.lied && !w.unreapable, "it had sent nothing wrong")
	case ReasonBoot:
		broken := s.plan.broken[1] > 0 || w.confineErr != nil
		return when(!broken && w.killedAt.Sub(w.born) < c.BootTimeout, "it had time left to boot")
	}
	return "an unknown reason"
}

// stoppedFor is how much of so long before the pool killed it the worker was stopped. It may have been continued at the moment of
// the kill, or just before it, and stopped again: the pool goes by what was not answered until then.
func (w *simProcess) stoppedFor(span time.Duration) (total time.Duration) {
	since := w.killedAt.Add(-span)
	for _, stall := range w.stalls {
		from, to := stall[0], stall[1]
		if from.Before(since) {
			from = since
		}
		if to.After(w.killedAt) {
			to = w.killedAt
		}
		total += max(to.Sub(from), 0)
	}
	return total
}

// misreported compares a record with how the process really ended.
func (w *simProcess) misreported(x *Exit) string {
	if x.Code == unknownCode && w.unreapable || w.lied && w.termed { // the goodbye may not have come
		return ""
	}
	if x.Code != w.status.Code || x.Signal != w.status.Signal {
		return fmt.Sprintf("it ended with %d %v", w.status.Code, w.status.Signal)
	}
	if x.Asked && !w.termed && !w.lied {
		return "nobody asked it to end"
	}
	var want Kind
	switch {
	case w.oom > 0 && w.status.Signal == syscall.SIGKILL, w.stderr != "" && w.status.Code == 2:
		want = KindOOM
	case w.byPool, x.Kind == KindOurs && !w.killedAt.IsZero() && w.status.Signal == syscall.SIGKILL:
		want = KindOurs // two kills at a time cannot be told apart
	case w.status.Code == 0 && (w.stops || w.termed && !w.pending): // a stopped process has not seen its SIGTERM
		want = KindClean
	case w.status.Signal == syscall.SIGKILL, w.status.Signal == syscall.SIGTERM:
		want = KindKilled
	default:
		want = KindCrashed
	}
	if x.Kind != want {
		return fmt.Sprintf("it is of kind %v", want)
	}
	return when(want == KindKilled && x.Reason != ReasonNone, "it was killed from outside")
}

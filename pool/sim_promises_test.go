package pool

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// simPromises is what every seed is judged by, when all is over. What can only be seen while the pool runs is checked
// there: that it ends, comes back to its size and leaves nothing behind.
var simPromises = []struct {
	name  string
	check func(s *simulation, violated func(format string, args ...any))
}{
	{"every task settles exactly once", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			if t.settles > 1 || t.settles == 0 && t.known {
				violated("task %d settled %d times", t.n, t.settles)
			}
		})
	}},
	{"an outcome has its cause", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			if !t.known {
				return
			}
			if why := s.uncaused(t); why != "" {
				violated("task %d settled with %v: %s", t.n, t.err, why)
			}
		})
	}},
	{"a task runs again only after a death", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			for i, e := range t.execs {
				if e.attempt != i+1 {
					violated("execution %d of task %d was told that it is attempt %d", i+1, t.n, e.attempt)
				}
				if t.settles > 0 && e.began.After(t.settledAt) {
					violated("task %d was started %v after it had settled", t.n, e.began.Sub(t.settledAt))
				}
				if i == 0 {
					continue
				}
				last := t.execs[i-1]
				switch {
				case !last.w.dead || last.w.diedAt.After(e.began):
					violated("task %d was started again while %v, which ran it, was alive", t.n, last.w)
				case !last.sent.IsZero():
					violated("task %d was run again though %v had sent its result", t.n, last.w)
				}
			}
		})
	}},
	{"at most once is never twice", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			if t.delivery == AtMostOnce && len(t.execs) > 1 {
				violated("task %d was started %d times", t.n, len(t.execs))
			}
		})
	}},
	{"a whole result in the socket is delivered", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			for _, e := range t.execs {
				if t.known && !e.sent.IsZero() && !t.answered() && !t.givenUp() {
					violated("%v sent the result of task %d, which settled with %v", e.w, t.n, t.err)
				}
			}
		})
	}},
	{"only the running task is blamed", checkBlame},
	{"death budgets are kept", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			if why := s.overBudget(t); why != "" {
				violated("task %d: %s", t.n, why)
			}
		})
	}},
	{"a worker ends for a reason", func(s *simulation, violated func(string, ...any)) {
		s.eachExit(func(x *Exit, w *simProcess) {
			if why := s.unjustified(x, w); why != "" {
				violated("%v: %s", x, why)
			}
		})
	}},
	{"exit records tell the truth", func(s *simulation, violated func(string, ...any)) {
		s.eachExit(func(x *Exit, w *simProcess) {
			if why := w.misreported(x); why != "" {
				violated("%v, kind %v: %s", x, x.Kind, why)
			}
		})
	}},
	{"nothing runs longer than it may", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			for _, e := range t.execs {
				if why := s.overtime(e); why != "" {
					violated("task %d on %v: %s", t.n, e.w, why)
				}
			}
		})
	}},
	{"a task pinned to a slot runs there", func(s *simulation, violated func(string, ...any)) {
		slots := s.slotsOf()
		s.eachTask(func(t *simTask) {
			for _, e := range t.execs {
				if slot, ok := slots[e.w.PID()]; t.slot >= 0 && ok && slot != t.slot {
					violated("task %d of slot %d ran in slot %d", t.n, t.slot, slot)
				}
			}
		})
	}},
	{"a worker runs at most MaxTasks", func(s *simulation, violated func(string, ...any)) {
		for _, w := range s.processes {
			if limit := s.plan.cfg.MaxTasks; limit > 0 && len(w.execs) > limit {
				violated("%v ran %d", w, len(w.execs))
			}
		}
	}},
	{"Close finishes what was submitted", func(s *simulation, violated func(string, ...any)) {
		s.eachTask(func(t *simTask) {
			if s.drained && t.accepted && errors.Is(t.err, ErrClosed) {
				violated("task %d was accepted and not run", t.n)
			}
		})
	}},
	{"Resize kills no busy worker", func(s *simulation, violated func(string, ...any)) {
		s.eachExit(func(x *Exit, w *simProcess) {
			early := s.closing.IsZero() || w.diedAt.Before(s.closing)
			if x.Reason == ReasonStop && w.byPool && early && !w.termed && w.guilty() != nil {
				violated("%v ran task %d", w, w.guilty().task.n)
			}
		})
	}},
	{"workers that do not come up are no fork loop", checkBreaker},
	{"the breaker opens in time", checkScore},
	{"the breaker opens for nothing else", checkOpenings},
	{"restarts are spaced", checkBackoff},
	{"a stall is noticed", checkStalls},
	{"who cannot be reaped is given up", checkQuarantine},
	{"the books balance", checkBooks},
}

// judge holds what happened against every promise.
func (s *simulation) judge() {
	s.eachExit(func(x *Exit, w *simProcess) { w.exit = x })
	for _, p := range simPromises {
		p.check(s, func(format string, args ...any) { s.violated(p.name, format, args...) })
	}
}

// eachTask visits every task with its lock held.
func (s *simulation) eachTask(visit func(*simTask)) {
	for _, t := range s.plan.tasks {
		t.mu.Lock()
		visit(t)
		t.mu.Unlock()
	}
}

// answered tells whether the task settled with what its handler made.
func (t *simTask) answered() bool {
	var failed *HandlerError
	var panicked *PanicError
	if errors.Is(t.err, ErrCrashLoop) {
		return false // its cause may be an initializer's error, which is a *HandlerError too
	}
	return t.err == nil || errors.As(t.err, &failed) || errors.As(t.err, &panicked)
}

// givenUp tells whether the task settled because somebody wanted it no more, as it may at any time.
func (t *simTask) givenUp() bool {
	return t.loose || errors.Is(t.err, context.DeadlineExceeded) || errors.Is(t.err, ErrClosed)
}

// uncaused tells what is wrong with a task's outcome; "" is nothing.
func (s *simulation) uncaused(t *simTask) string {
	var failed *HandlerError
	var panicked *PanicError
	var late *TimeoutError
	var lost *WorkerLostError
	switch {
	case t.answered():
		return t.misanswered(errors.As(t.err, &failed), errors.As(t.err, &panicked))
	case errors.As(t.err, &late):
		return s.hasty(t)
	case errors.As(t.err, &lost):
		return when(len(lost.Exits) == 0, "no exit is named") + when(len(t.execs) == 0, "no worker ever ran it")
	case errors.Is(t.err, context.DeadlineExceeded):
		return when(t.cancel == 0, "nobody cancelled it") + when(t.settledAt.Sub(t.submitted) < t.cancel, "too early")
	case errors.Is(t.err, ErrClosed):
		return when(s.closing.IsZero() || t.settledAt.Before(s.closing), "nobody had closed the pool")
	case errors.Is(t.err, ErrCrashLoop):
		return when(!s.opened(t.settledAt), "the breaker had never opened")
	case errors.Is(t.err, ErrQueueFull):
		return when(s.plan.cfg.QueueLimit == 0 || s.plan.cfg.QueueBlock, "there is no such limit")
	case errors.Is(t.err, ErrNoSuchSlot):
		return when(t.slot < 0 || !s.shrunk, "the slot was there")
	}
	return "there is no reason for such an error"
}

func when(cond bool, text string) string {
	if cond {
		return text
	}
	return ""
}

// misanswered compares an answer with what the handler made.
func (t *simTask) misanswered(failed, panicked bool) string {
	sent := false
	for _, e := range t.execs {
		sent = sent || e.told
	}
	switch {
	case !sent:
		return "no worker sent that"
	case failed != (t.fail == wire.FrameError), panicked != (t.fail == wire.FramePanic):
		return "the handler did something else"
	case t.err == nil && (len(t.value) != t.size || !bytes.Equal(complement(t.value)[8:], t.argument(0)[8:])):
		return "the value is wrong"
	}
	return ""
}

// timeoutOf is how long the task may run; 0 is forever.
func (s *simulation) timeoutOf(t *simTask) time.Duration {
	if t.timeout > 0 {
		return t.timeout
	}
	return s.plan.cfg.TaskTimeout
}

// hasty tells whether a task was timed out before its time, counted from its start.
func (s *simulation) hasty(t *simTask) string {
	limit := s.timeoutOf(t)
	if limit == 0 || len(t.execs) == 0 {
		return "it has no timeout, or never ran"
	}
	e := t.execs[len(t.execs)-1]
	if ran := e.w.killedAt.Sub(e.began); ran < limit {
		return "it had run for " + ran.String() + " of " + limit.String()
	}
	return ""
}

// overtime tells whether an execution was let go on for longer than its timeout, or its cancellation's grace, allows.
func (s *simulation) overtime(e *simExec) string {
	end := e.done
	if end.IsZero() {
		end = e.w.diedAt
	}
	t, settled := e.task, e.task.settledAt
	if t.loose { // it was cancelled, who knows when
		return ""
	}
	limit := s.timeoutOf(t)
	latest := limit + limit/4 + 12*keeperTick // when it is to be ended, unless it was settled before that, as by a cancellation
	if limit > 0 && end.Sub(e.began) > latest && (settled.IsZero() || settled.Sub(e.began) > latest) {
		return "it ran for " + end.Sub(e.began).String() + " with a timeout of " + limit.String()
	}
	if grace := s.plan.cfg.CancelGrace; grace >= 0 && errors.Is(t.err, context.DeadlineExceeded) && settled.After(e.began) && end.Sub(settled) > grace+time.Millisecond {
		return "it ran for " + end.Sub(settled).String() + " after it was cancelled"
	}
	return ""
}

package pool

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
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
	// when it is to be ended, unless it was settled before that, as by a cancellation
	latest := limit + limit/4 + 12*keeperTick
	if limit > 0 && end.Sub(e.began) > latest && (settled.IsZero() || settled.Sub(e.began) > latest) {
		return "it ran for " + end.Sub(e.began).String() + " with a timeout of " + limit.String()
	}
	if grace := s.plan.cfg.CancelGrace; grace >= 0 && errors.Is(t.err, context.DeadlineExceeded) &&
		settled.After(e.began) && end.Sub(settled) > grace+time.Millisecond {
		return "it ran for " + end.Sub(settled).String() + " after it was cancelled"
	}
	return ""
}

// audit checks what the statistics promise to hold at any time.
func (s *simulation) audit() {
	st := s.pool.Stats()
	s.tell(nil, "the books: %+v", st)
	if st.Submitted != st.Settled+uint64(st.Queued)+uint64(st.InFlight) {
		s.violated("the books balance", "submitted %d, settled %d, queued %d, in flight %d",
			st.Submitted, st.Settled, st.Queued, st.InFlight)
	}
	if st.Settled != st.OK+st.Failed {
		s.violated("the books balance", "settled %d, ok %d, failed %d", st.Settled, st.OK, st.Failed)
	}
}

// checkBooks compares the statistics with the events and the outcomes.
func checkBooks(s *simulation, violated func(string, ...any)) {
	st := s.pool.Stats()
	same := func(what string, have uint64, want int) {
		if have != uint64(want) {
			violated("%s: the statistics say %d, it was %d", what, have, want)
		}
	}
	same("processes", st.Started, len(s.processes))
	same("exits", st.Exits, len(s.processes))
	same("settled", st.Settled, int(st.Submitted))
	same("ok and failed", st.OK+st.Failed, int(st.Settled))
	same("queued", uint64(st.Queued), 0)
	same("in flight", uint64(st.InFlight), 0)
	events := map[EventKind]int{}
	for _, e := range s.events {
		events[e.Kind]++
	}
	wrong := 0 // a dead one that nobody can reap owes its answers as a live one does
	for _, w := range s.processes {
		if w.lied || w.unreapable {
			wrong++
		}
	}
	if s.plan.early {
		return // what happened before the subscription is in no event
	}
	same("requeued", st.Requeued, events[TaskRequeued])
	same("late results", st.Late, events[LateResult])
	same("lost", st.Lost, events[TaskLost])
	same("rejected", st.Rejected, events[FrameRejected])
	same("exit events", st.Exits, events[WorkerExited])
	if int(st.Rejected) > wrong {
		violated("%d messages rejected from %d workers that lied or could not be reaped", st.Rejected, wrong)
	}
	ok, lost, loose := 0, 0, 0
	s.eachTask(func(t *simTask) {
		switch {
		case t.loose || !t.known:
			loose++
		case t.err == nil:
			ok++
		case errors.As(t.err, new(*WorkerLostError)):
			lost++
		}
	})
	if int(st.OK) < ok || int(st.OK) > ok+loose || int(st.Lost) < lost || int(st.Lost) > lost+loose {
		violated("ok %d and lost %d by the statistics, %d and %d by the outcomes", st.OK, st.Lost, ok, lost)
	}
}

// noteSlots remembers who is where before the events begin.
func (s *simulation) noteSlots() {
	s.firstSlots = map[int]int{}
	for _, w := range s.pool.Workers() {
		s.firstSlots[w.PID] = w.Slot
	}
}

// slotsOf is the slot that each worker filled, by pid.
func (s *simulation) slotsOf() map[int]int {
	slots := maps.Clone(s.firstSlots)
	for _, e := range s.events {
		if e.Kind == WorkerReady {
			slots[e.Worker.PID] = e.Worker.Slot
		}
	}
	return slots
}

// Workers that write to their scoreboard what is not so, or to their socket.

// A handler that sets its task's claim word back, so that it looks as if it had never started, and ends its worker.
func TestATaskWhoseWorkerTakesItsClaimBackIsNotSentForEver(t *testing.T) {
	unclaim := func(w *simProcess, e *simExec) { w.board.Claim(e.seq).Store(uint64(e.seq)<<8 | wire.ClaimSent) }
	answer := func(w *simProcess, e *simExec) {
		w.transmit(
			wire.AppendFrame(nil, &wire.Frame{Kind: wire.FrameValue, ID: e.id, Seq: e.seq, Payload: []byte{0x40}}), 0)
	}
	for name, is := range map[string]struct {
		crime  func(w *simProcess, e *simExec)
		how    process.Status
		starts int
	}{
		"while it runs, and crashes":   {unclaim, process.Status{Code: 9}, 3},
		"while it runs, and is killed": {unclaim, process.Status{Code: -1, Signal: syscall.SIGKILL}, 16},
		"and then sends a result": {
			func(w *simProcess, e *simExec) { unclaim(w, e); answer(w, e) },
			process.Status{Code: 9},
			3,
		},
		"and says that it runs nothing": {func(w *simProcess, e *simExec) {
			unclaim(w, e)
			w.board.SetPhase(wire.PhaseIdle, 0)
		}, process.Status{Code: -1, Signal: syscall.SIGKILL}, maxAttempts},
		"and says that it runs nothing, and sends a result": {func(w *simProcess, e *simExec) {
			unclaim(w, e)
			w.board.SetPhase(wire.PhaseIdle, 0)
			answer(w, e)
		}, process.Status{Code: 9}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			staged(t, Config{Size: 1}, func(g *WithT, s *simulation, p *Pool) {
				g.Expect(s.answers()).To(Succeed())
				task := &simTask{work: 10 * time.Millisecond, poison: &is.how, crime: is.crime}
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				f := simWork.Submit(ctx, p, s.argument(task))
				_, err := f.Result(ctx)
				g.Expect(err).To(BeAssignableToTypeOf(&WorkerLostError{}))
				g.Expect(len(task.execs)).To(Equal(is.starts))
				g.Expect(s.answers()).To(Succeed())
			})
		})
	}
}

// opened tells whether the breaker had opened by then.
func (s *simulation) opened(by time.Time) bool {
	for _, e := range s.events {
		if e.Kind == BreakerOpened && !e.At.After(by) {
			return true
		}
	}
	return s.plan.early
}

// checkBreaker looks for starts while the breaker was open, and for more than one probe at a time after that.
func checkBreaker(s *simulation, violated func(string, ...any)) {
	var opened, until time.Time
	starts, next := 0, 0
	count := func(by time.Time) {
		for ; next < len(s.attempts) && s.attempts[next].at.Before(by); next++ {
			at := s.attempts[next].at
			if !opened.IsZero() && at.After(opened) {
				if s.byPID[s.attempts[next].w.PID()] != nil {
					// no event tells how a slot that was removed fails to start one
					starts++
				}
				if at.Before(until) {
					violated("a start at %v, the breaker was open from %v to %v",
						at.Sub(s.start), opened.Sub(s.start), until.Sub(s.start))
				}
			}
		}
	}
	for _, e := range s.events {
		count(e.At)
		switch e.Kind {
		case BreakerOpened:
			opened, until, starts = e.At, e.At.Add(e.Delay), 0
		case BreakerClosed:
			opened = time.Time{}
		case WorkerExited:
			if !opened.IsZero() && e.Worker.Started.After(opened) {
				starts--
			}
		}
		if starts > 1 {
			violated("%d starts between two looks of the breaker, by %v", starts, e.At.Sub(s.start))
		}
	}
}

// checkScore counts the failures that the pool told of, and looks whether the breaker opened when there were too many.
func checkScore(s *simulation, violated func(string, ...any)) {
	b := s.plan.cfg.Backoff
	var score float64
	var last, due, alone time.Time
	row, there := 0, s.there() // a row of failures that nobody was there to make up for
	open := s.plan.early       // what New saw is in no event
	for _, e := range s.events {
		if len(there) > 0 {
			row, alone = 0, e.At
		}
		there.see(e, true)
		if !due.IsZero() && e.At.After(due) {
			violated("the breaker is closed after failures worth %.1f of %d, %d in a row, at %v",
				score, b.Threshold, row, due.Sub(s.start))
			return
		}
		switch {
		case e.Kind == BreakerOpened:
			open, due = true, time.Time{}
		case e.Kind == BreakerClosed:
			open, score, row = false, 0, 0
		case e.Kind == BootFailed, e.Kind == WorkerExited && s.feeds(e, true):
			score = score*math.Exp2(-e.At.Sub(last).Seconds()/b.HalfLife.Seconds()) + weight(e)
			if e.Kind == BootFailed && e.At.After(alone) && s.plan.cfg.Spares == 0 { // what spares do is in no event
				row++
			}
			if last = e.At; !open && (score > float64(b.Threshold)+.01 || row >= b.Threshold) {
				due = e.At
			}
		}
	}
}

// checkOpenings counts what may feed the breaker, and looks for openings for which that is not enough.
func checkOpenings(s *simulation, violated func(string, ...any)) {
	b := s.plan.cfg.Backoff
	if s.plan.early {
		return // of New there are no events
	}
	var score float64
	var last, good time.Time // of the last failure, and of the end of a worker that had worked
	row, there, open := 0, s.there(), false
	for _, e := range s.events {
		there.see(e, false)
		switch {
		case e.Kind == BreakerOpened:
			if !open && score < float64(b.Threshold)-.01 && (row < b.Threshold || s.takers(there, e.At) > 0) {
				violated("the breaker opens after failures worth %.1f of %d, %d in a row with %d workers there, at %v",
					score, b.Threshold, row, s.takers(there, e.At), e.At.Sub(s.start))
			}
			open = true
		case e.Kind == BreakerClosed:
			open, score, row = false, 0, 0
		case e.Kind == BootFailed, e.Kind == WorkerExited && s.feeds(e, false):
			score = score*math.Exp2(-e.At.Sub(last).Seconds()/b.HalfLife.Seconds()) + weight(e)
			if good.After(last) && good.Before(e.At) {
				row = 0
			}
			row++
			last = e.At
		case e.Kind == WorkerExited && e.Exit.Settled > 0:
			good = e.At
		}
	}
}

// weight is what a failure adds to the score: nothing if somebody else killed the worker while it booted.
func weight(e Event) float64 {
	var boot *BootError
	if errors.As(e.Err, &boot) && boot.Exit.Kind == KindKilled {
		return 0
	}
	return 1
}

// simThere is the workers, by pid, that take tasks.
type simThere map[int]bool

// there is those that were up when New returned.
func (s *simulation) there() simThere {
	there := simThere{}
	for pid := range s.firstSlots {
		there[pid] = true
	}
	return there
}

// takers counts those that the pool had not killed by then, which no event tells.
func (s *simulation) takers(there simThere, by time.Time) (n int) {
	for pid := range there {
		if w := s.byPID[pid]; w != nil && (w.killedAt.IsZero() || w.killedAt.After(by)) {
			n++
		}
	}
	return n
}

// see follows the workers' lives. Those that retire may finish what they run, and count if they are to stay.
func (there simThere) see(e Event, stay bool) {
	switch e.Kind {
	case WorkerReady:
		there[e.Worker.PID] = true
	case WorkerExited:
		delete(there, e.Exit.PID)
	case WorkerRetiring:
		if !stay {
			delete(there, e.Worker.PID)
		}
	}
}

// feeds tells whether the end of a worker that was ready must feed the breaker (sure), or may.
func (s *simulation) feeds(e Event, sure bool) bool {
	x, w := e.Exit, s.byPID[e.Exit.PID]
	ready, ok := s.readyAt(w)
	if !ok {
		return !sure && s.plan.cfg.Spares > 0 // it may have been ready on the bench
	}
	limit := readySettle
	if sure {
		limit -= 100 * time.Millisecond // the first workers were ready before New returned
	}
	itsOwn := x.Reason == ReasonNone || x.Reason == ReasonProtocol || x.Reason == ReasonStall && x.Stopped == 0
	if x.Settled > 0 || !itsOwn || x.Kind == KindKilled || x.Kind == KindClean || x.At.Sub(ready) >= limit {
		return false
	}
	if w.lied { // who is to blame is not known
		return !sure
	}
	return w.guilty() == nil
}

// readyAt is when the worker took its slot; a spare has been ready for longer.
func (s *simulation) readyAt(w *simProcess) (at time.Time, ok bool) {
	for _, e := range s.events {
		if e.Kind == WorkerReady && s.byPID[e.Worker.PID] == w {
			return e.At, w != nil
		}
	}
	_, first := s.firstSlots[w.PID()]
	return s.up, first
}

// checkBackoff looks for a start right after two failures of the same slot in a row.
func checkBackoff(s *simulation, violated func(string, ...any)) {
	if s.plan.cfg.Spares > 0 || s.resized || s.plan.early {
		// spares fill slots between two starts, a slot that was removed may come back, and of New there are no events
		return
	}
	up := map[*simProcess]bool{}
	for pid := range s.slotsOf() {
		up[s.byPID[pid]] = true
	}
	var failures [simMaxSize]int
	var last [simMaxSize]time.Time
	for _, a := range s.attempts {
		if gap := a.at.Sub(last[a.slot]); failures[a.slot] >= 2 && gap < s.plan.cfg.Backoff.Base/2 {
			violated("slot %d: a start %v after %d failures in a row", a.slot, gap, failures[a.slot])
		}
		if failures[a.slot]++; up[a.w] {
			failures[a.slot] = 0
		}
		if last[a.slot] = a.at; a.w.dead && !a.w.unreapable {
			last[a.slot] = a.w.exitAt
		}
	}
}

// checkStalls looks for workers that were stopped for longer than the heartbeat allows.
func checkStalls(s *simulation, violated func(string, ...any)) {
	limit := s.plan.cfg.Heartbeat
	for _, e := range s.events {
		w := s.byPID[e.Worker.PID]
		if e.Kind != WorkerReady || limit < 0 || w == nil {
			continue
		}
		for _, stall := range w.stalls {
			if span := stall[1].Sub(stall[0]); stall[0].After(e.At) && span > 5*limit/2 && w.killedAt.IsZero() {
				violated("%v was stopped for %v with a heartbeat of %v", w, span, limit)
			}
		}
	}
}

// checkQuarantine looks for workers that could not be reaped in time and were waited for.
func checkQuarantine(s *simulation, violated func(string, ...any)) {
	given := map[int]bool{}
	for _, e := range s.events {
		if e.Kind == WorkerQuarantined {
			given[e.Worker.PID] = true
		}
	}
	for _, w := range s.processes {
		if late := w.exitAt.Sub(w.killedAt); !w.killedAt.IsZero() && late > quarantineWait+time.Millisecond &&
			!given[w.PID()] && !s.plan.early {
			violated("%v was waited for %v", w, late)
		}
	}
}

// watchForStranded looks now and then until nothing fails any more.
func (s *simulation) watchForStranded() {
	for s.untilHealed() > 0 {
		<-time.After(s.plan.heal / 16)
		if w := s.stranded(); w != "" {
			s.violated("nobody is stranded", "behind a long task on %v, with an idle worker beside it", w)
			return
		}
	}
}

// stranded tells of a task that waits behind a long one while another worker has nothing to do.
func (s *simulation) stranded() string {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.st.idle) == 0 {
		return ""
	}
	for w := range p.st.workers {
		proc, ok := w.proc.(*simProcess)
		if ok && w.flight.count > 1 && proc.running() > 25*time.Millisecond && w.board.Unstarted(w.flight.next-1) {
			return proc.String()
		}
	}
	return ""
}

// running is how long the worker's handler has been running; 0 when none is.
func (w *simProcess) running() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.execs); n > 0 && w.execs[n-1].done.IsZero() && !w.dead {
		return time.Since(w.execs[n-1].began)
	}
	return 0
}

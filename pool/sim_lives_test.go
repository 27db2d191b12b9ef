package pool

import (
	"errors"
	"math"
	"time"
)

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
				if s.byPID[s.attempts[next].w.PID()] != nil { // no event tells how a slot that was removed fails to start one
					starts++
				}
				if at.Before(until) {
					violated("a start at %v, the breaker was open from %v to %v", at.Sub(s.start), opened.Sub(s.start), until.Sub(s.start))
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
			violated("the breaker is closed after failures worth %.1f of %d, %d in a row, at %v", score, b.Threshold, row, due.Sub(s.start))
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
		return // spares fill slots between two starts, a slot that was removed may come back, and of New there are no events
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
		if late := w.exitAt.Sub(w.killedAt); !w.killedAt.IsZero() && late > quarantineWait+time.Millisecond && !given[w.PID()] && !s.plan.early {
			violated("%v was waited for %v", w, late)
		}
	}
}

// lookForStranded looks now and then until nothing fails any more.
func (s *simulation) lookForStranded() {
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

package pool

import (
	"time"

	"github.com/respawn-go/respawn/internal/breaker"
)

// ending is what the end of a worker that had come up says about workers.
type ending uint8

const (
	endGood ending = iota // they can be had: it stayed up or worked, or somebody ended it
	endBad                // they do not stay up
	endMute               // nothing: the task that it ran is to blame
)

// count goes on or begins anew with a row of failures.
func (e ending) count(failures *int) {
	switch e {
	case endGood:
		*failures = 0
	case endBad:
		*failures++
	}
}

// ending judges the end of a worker that was ready. One that lives for less than a second and settles nothing has not
// come up, if it is ended for what it sends, or for its silence while nobody had stopped it, too, unless its end is
// charged to a task: that has a budget of its own, and tasks that crash would otherwise take the pool down with all the
// others in it.
func (w *worker) ending(x Exit) ending {
	itsOwn := x.Reason == ReasonNone || x.Reason == ReasonProtocol || x.Reason == ReasonStall && x.Stopped == 0
	switch {
	case !itsOwn, x.fromOutside(), x.Kind == KindClean, x.Settled > 0, x.At.Sub(w.readyAt) >= readySettle:
		return endGood
	case w.charged && w.p.cfg.mutant != mutantPoisonCounts, w.p.cfg.mutant == mutantEachEndExcused:
		return endMute
	}
	return endBad
}

// alone tells whether New still waits for the first workers, or nobody is there that takes tasks.
func (st *state) alone() bool { return !st.up || st.deserted() }

// fails counts a worker that did not come up, or was killed from outside while it booted, and opens the breaker when
// there were too many.
func (st *state) fails(cause error, killed, probe bool) {
	f := breaker.Failure{Cause: cause, Probe: probe, Killed: killed, Alone: st.alone(), Worked: st.answered}
	if !killed || f.Alone {
		st.stats.BootFailures++
	}
	b, policy, now := &st.breaker, breaker.Policy(st.cfg.Backoff), time.Now()
	if !b.Fail(policy, now, f) || st.cfg.mutant == mutantNoBreaker {
		return
	}
	delay := st.jittered(policy.Delay(b.Opened()))
	b.Trip(now.Add(delay))
	st.publish(Event{Kind: BreakerOpened, Delay: delay, Err: cause})
	st.failIfDeserted()
	st.notify()
}

// failIfDeserted fails every queued task when the breaker is open and no worker is left to run it.
func (st *state) failIfDeserted() {
	if !st.breaker.Open() || !st.deserted() {
		return
	}
	err := st.crashLoop()
	for c := st.queue.front(); c != nil; c = st.queue.front() {
		st.fail(c, err)
	}
	for _, s := range st.slots {
		for c := s.pinned.front(); c != nil; c = s.pinned.front() {
			st.fail(c, err)
		}
	}
}

// deserted tells whether no worker is there that takes tasks, or will at once, or still runs some.
func (st *state) deserted() bool { return st.ready == 0 && len(st.bench) == 0 && !st.anyBusy() }

// anyBusy tells whether some worker still runs tasks, though it takes no new ones.
func (st *state) anyBusy() bool {
	for w := range st.workers {
		if w.flight.count > 0 {
			return true
		}
	}
	return false
}

func (st *state) crashLoop() error {
	return &CrashLoopError{Failures: st.breaker.Failures(), Cause: st.breaker.Cause()}
}

// staysUp closes the breaker because its probe, w, stayed up.
func (st *state) staysUp(w *worker) {
	w.probe = false
	if st.breaker.Close() {
		st.publish(Event{Kind: BreakerClosed, Worker: w.info()})
	}
	st.notify()
}

// closeIfFull closes the breaker when every place is filled, as it may be after a Resize: nobody would send a probe.
func (st *state) closeIfFull() {
	if b := &st.breaker; b.Open() && !b.Probing() && st.ready == len(st.slots) && len(st.bench) == st.cfg.Spares {
		b.Close()
		st.publish(Event{Kind: BreakerClosed})
	}
}

// jittered spreads d over ±50 %.
func (p *Pool) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + p.cfg.jitter()))
}

// admit waits until the slot, or if that is nil the spare bench, may start a worker: its own backoff after failures in
// a row, then the breaker, and room for one more boot, which takesPlace gives back. It reports whether the worker is
// the breaker's probe, and false when the worker is not wanted any more. A slot gets a spare in its place, at once and
// whenever one comes up.
func (p *Pool) admit(s *slot, failures int) (spare *worker, probe, ok bool) {
	var notBefore time.Time
	if failures >= 2 && p.cfg.mutant != mutantNoBackoff {
		notBefore = time.Now().Add(p.jittered(breaker.Policy(p.cfg.Backoff).Delay(failures - 2)))
	}
	st := p.lock()
	defer st.unlock()
	for s == nil && st.running() || s != nil && s.wanted(st) {
		if s != nil {
			if spare = st.adopt(s); spare != nil {
				return spare, false, true
			}
		}
		now := time.Now()
		admission, until := st.breaker.Admit(now)
		switch {
		case now.Before(notBefore):
			until = notBefore
		case admission != breaker.Wait && !st.crowded(s):
			if probe = admission == breaker.Probe; probe {
				st.breaker.Probes()
			}
			if st.cfg.Command != nil {
				st.boots++
			}
			return nil, probe, true
		}
		st.sleep(until)
	}
	return nil, false, false
}

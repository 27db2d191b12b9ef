package pool

import (
	"math"
	"time"
)

// breaker keeps workers that cannot come up from becoming a fork loop. It is a part of state.
//
//	closed --score or row reaches the threshold--> open --delay over--> probing --stays up--> closed
//	                                                 ^------------------probe fails-----------'
type breaker struct {
	score    float64 // failures, halving every half-life
	scored   time.Time
	counted  time.Time // the last failure
	row      int       // failures that nobody was there to make up for, since a worker last stayed up or worked
	failures int       // since it last closed
	cause    error
	opened   int       // times in a row
	until    time.Time // open until then; zero: closed
	probing  bool      // a probe worker is on its way
}

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

// ending judges the end of a worker that was ready. One that lives for less than a second and settles nothing has not come up,
// if it is ended for what it sends, or for its silence while nobody had stopped it, too, unless its end is charged to a task: that
// has a budget of its own, and tasks that crash would otherwise take the pool down with all the others in it.
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

func (b *breaker) isOpen() bool { return !b.until.IsZero() }

// breakerFail counts a failure and opens the breaker when there were too many, or when it was the probe's. Too many are a
// rate of them; and, because failures that take long never get to that, a row of them while New or everybody else waits
// for workers.
func (st *state) breakerFail(cause error, probe bool) {
	b, cfg, now := &st.breaker, st.cfg.Backoff, time.Now()
	b.score = b.score*math.Exp2(-now.Sub(b.scored).Seconds()/cfg.HalfLife.Seconds()) + 1
	b.scored = now
	st.breakerCount(cause)
	if probe || !b.isOpen() && (b.score >= float64(cfg.Threshold) || b.row >= cfg.Threshold) {
		st.breakerOpen(probe)
	}
}

// breakerKilled counts a worker that was killed from outside while it booted, which says nothing about workers unless nobody
// else is there: then it is one of the row.
func (st *state) breakerKilled(cause error, probe bool) {
	b := &st.breaker
	if st.alone() {
		st.breakerCount(cause)
		if b.row >= st.cfg.Backoff.Threshold && (probe || !b.isOpen()) {
			st.breakerOpen(probe)
			return
		}
	}
	b.probing = b.probing && !probe // the next one tells
}

// alone tells whether New still waits for the first workers, or nobody is there that takes tasks.
func (st *state) alone() bool { return !st.up || st.deserted() }

// breakerCount notes a failure.
func (st *state) breakerCount(cause error) {
	b := &st.breaker
	if st.answered.After(b.counted) {
		b.row = 0
	}
	b.counted, b.cause = time.Now(), cause
	b.failures++
	st.stats.BootFailures++
	if st.alone() {
		b.row++
	}
}

// breakerOpen lets nobody start for a while; again, if it was the probe that failed.
func (st *state) breakerOpen(probe bool) {
	b, cfg, now := &st.breaker, st.cfg.Backoff, time.Now()
	b.probing = b.probing && !probe
	if st.cfg.mutant == mutantNoBreaker {
		return
	}
	delay := st.jittered(cfg.delay(b.opened))
	b.opened++
	b.until = now.Add(delay)
	st.publish(Event{Kind: BreakerOpened, Delay: delay, Err: b.cause})
	st.warn("workers do not come up: waiting before the next start", "failures", b.failures, "delay", delay, "cause", b.cause)
	st.failIfDeserted()
	st.notify()
}

// failIfDeserted fails every queued task when the breaker is open and no worker is left to run it.
func (st *state) failIfDeserted() {
	if !st.breaker.isOpen() || !st.deserted() {
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
	return &CrashLoopError{Failures: st.breaker.failures, Cause: st.breaker.cause}
}

// breakerClose closes the breaker because w stayed up.
func (st *state) breakerClose(w *worker) {
	w.probe = false
	was := st.breaker.isOpen()
	st.breaker = breaker{}
	if was {
		st.publish(Event{Kind: BreakerClosed, Worker: w.info()})
	}
	st.notify()
}

// breakerRest closes the breaker when every place is filled, as it may be after a Resize: nobody would send a probe.
func (st *state) breakerRest() {
	if st.breaker.isOpen() && !st.breaker.probing && st.ready == len(st.slots) && len(st.bench) == st.cfg.Spares {
		st.breaker = breaker{}
		st.publish(Event{Kind: BreakerClosed})
	}
}

// delay is Base·2ⁿ, at most Max.
func (b Backoff) delay(n int) time.Duration {
	d := b.Base
	for range n {
		if d >= b.Max/2 {
			return b.Max
		}
		d *= 2
	}
	return min(d, b.Max)
}

// jittered spreads d over ±50 %.
func (p *Pool) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.5 + p.cfg.jitter()))
}

// admit waits until the slot, or if that is nil the spare bench, may start a worker: its own backoff after failures in a row,
// then the breaker, and room for one more boot, which ends by bootEnds. It reports whether the worker is the breaker's probe, and false when the worker is not wanted any more.
// A slot gets a spare in its place, at once and whenever one comes up.
func (p *Pool) admit(s *slot, failures int) (spare *worker, probe, ok bool) {
	var notBefore time.Time
	if failures >= 2 && p.cfg.mutant != mutantNoBackoff {
		notBefore = time.Now().Add(p.jittered(p.cfg.Backoff.delay(failures - 2)))
	}
	st := p.lock()
	defer st.unlock()
	for s == nil && st.running() || s != nil && s.wanted(st) {
		if s != nil {
			if spare = st.adopt(s); spare != nil {
				return spare, false, true
			}
		}
		b, now := &st.breaker, time.Now()
		wake := notBefore
		switch {
		case now.Before(notBefore):
		case b.isOpen() && now.Before(b.until):
			wake = b.until
		case b.isOpen() && b.probing, st.crowded(s):
			wake = time.Time{}
		default:
			b.probing = b.isOpen()
			if st.cfg.Command != nil {
				st.boots++
			}
			return nil, b.probing, true
		}
		st.sleep(wake)
	}
	return nil, false, false
}

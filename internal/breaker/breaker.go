// Package breaker decides when workers that cannot come up may be started again, so that they become no fork loop.
//
//	closed --score or row reaches the threshold--> open --delay over--> probing --stays up--> closed
//	                                                 ^------------------probe fails-----------'
//
// It starts nothing and tells nobody: whoever has a Breaker passes the time and what happened, and does what the
// answers say.
package breaker

import (
	"math"
	"time"
)

// Policy is when a breaker opens, and for how long. All of it must be positive.
type Policy struct {
	Base      time.Duration // the first delay; each further one in a row is twice as long
	Max       time.Duration // and none is longer
	Threshold int           // failures that open it, at a rate or in a row
	HalfLife  time.Duration // after which a failure counts half in the rate
}

// Delay is Base·2ⁿ, at most Max.
func (p Policy) Delay(n int) time.Duration {
	d := p.Base
	for range n {
		if d >= p.Max/2 {
			return p.Max
		}
		d *= 2
	}
	return min(d, p.Max)
}

// Breaker is closed in its zero value. It is not safe for concurrent use.
type Breaker struct {
	score    float64 // failures, halving every half-life
	scored   time.Time
	counted  time.Time // the last failure
	row      int       // failures that nobody was there to make up for, since a worker last stayed up or worked
	failures int
	cause    error
	opened   int       // times in a row
	until    time.Time // open until then; zero: closed
	probing  bool      // a probe is on its way
}

// Failure is a worker that did not come up.
type Failure struct {
	Cause  error
	Probe  bool      // it was the open breaker's probe
	Killed bool      // from outside, which says nothing about workers unless nobody else is there
	Alone  bool      // nobody is there that takes tasks
	Worked time.Time // when some worker last worked; zero: none did
}

// Fail counts a failure and tells whether there are too many now, or whether it was the probe's: then the breaker is to
// be opened. Too many are a rate of them; and, because failures that take long never get to that, a row of them while
// nobody is there.
func (b *Breaker) Fail(p Policy, now time.Time, f Failure) (opens bool) {
	if !f.Killed {
		b.score = b.score*math.Exp2(-now.Sub(b.scored).Seconds()/p.HalfLife.Seconds()) + 1
		b.scored = now
	}
	if !f.Killed || f.Alone {
		if f.Worked.After(b.counted) {
			b.row = 0
		}
		b.counted, b.cause = now, f.Cause
		b.failures++
		if f.Alone {
			b.row++
		}
	}
	if f.Killed {
		opens = f.Alone && b.row >= p.Threshold && (f.Probe || !b.Open())
	} else {
		opens = f.Probe || !b.Open() && (b.score >= float64(p.Threshold) || b.row >= p.Threshold)
	}
	if opens || f.Killed { // after a probe that was killed the next one tells
		b.probing = b.probing && !f.Probe
	}
	return opens
}

// Trip opens the breaker until then.
func (b *Breaker) Trip(until time.Time) {
	b.opened++
	b.until = until
}

// Close closes the breaker and forgets all failures. It tells whether it was open.
func (b *Breaker) Close() (was bool) {
	was = b.Open()
	*b = Breaker{}
	return was
}

// EndRow ends the row of failures: a worker stayed up or worked.
func (b *Breaker) EndRow() { b.row = 0 }

// NoProbe notes that the probe will not tell: the next one does.
func (b *Breaker) NoProbe() { b.probing = false }

// Open tells whether the breaker is open, with a probe on its way or not.
func (b *Breaker) Open() bool { return !b.until.IsZero() }

// Probing tells whether a probe is on its way.
func (b *Breaker) Probing() bool { return b.probing }

// Opened is how often in a row it was opened.
func (b *Breaker) Opened() int { return b.opened }

// Failures is how many there were since it last closed.
func (b *Breaker) Failures() int { return b.failures }

// Cause is the last failure's; nil without any.
func (b *Breaker) Cause() error { return b.cause }

// Admission is what Admit says.
type Admission uint8

const (
	Wait  Admission = iota // for a time, or without one for a probe to tell
	Start                  // an ordinary worker
	Probe                  // a worker that is to tell whether they stay up
)

// Admit tells whether a worker may be started now, and if it is to wait until when; zero is until something changes. A
// Probe that is started is noted with Probes.
func (b *Breaker) Admit(now time.Time) (a Admission, until time.Time) {
	switch {
	case !b.Open():
		return Start, time.Time{}
	case now.Before(b.until):
		return Wait, b.until
	case b.probing:
		return Wait, time.Time{}
	}
	return Probe, time.Time{}
}

// Probes notes that a probe is on its way.
func (b *Breaker) Probes() { b.probing = true }

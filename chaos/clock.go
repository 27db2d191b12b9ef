package chaos

import (
	"math"
	"time"

	"github.com/respawn-go/respawn/chaos/witness"
)

// clock is the one time base of a run: CLOCK_MONOTONIC, which every process of the host shares, less its value at the
// start.
type clock struct {
	base    int64 // CLOCK_MONOTONIC at T = 0, in ns
	started time.Time
}

// newClock starts at one moment as both clocks tell it. The record's time counts from the one that was read first, so
// that nothing is recorded before it happened by what the witness says.
func newClock() *clock {
	m := newAnchor(time.Now, func() time.Duration { return time.Duration(witness.Now()) })
	return &clock{base: int64(m.mono), started: m.at}
}

func (c *clock) now() time.Duration { return time.Duration(witness.Now() - c.base) }

// since turns a moment on CLOCK_MONOTONIC into time since the start; 0 stays 0.
func (c *clock) since(mono time.Duration) time.Duration {
	if mono == 0 {
		return 0
	}
	return mono - time.Duration(c.base)
}

// Monotonic is the moment t on CLOCK_MONOTONIC: what Watch reports in Member.At. t must have come from time.Now in this
// process. No moment is told as an earlier one: what happened after something else did is not before it.
func Monotonic(t time.Time) time.Duration { return anchor.mono + t.Sub(anchor.at) }

// anchor is one moment as both clocks tell it, CLOCK_MONOTONIC a little later, since it is read second.
var anchor = newAnchor(time.Now, func() time.Duration { return time.Duration(witness.Now()) })

type moment struct {
	at   time.Time
	mono time.Duration
}

// newAnchor takes of many readings the two that are the least apart, for this process may have to wait between two of
// them.
func newAnchor(now func() time.Time, mono func() time.Duration) (best moment) {
	least := time.Duration(math.MaxInt64)
	for range 32 {
		m := moment{now(), mono()}
		if apart := now().Sub(m.at); apart < least {
			best, least = m, apart
		}
	}
	return best
}

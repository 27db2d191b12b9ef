package chaos

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// When says at which times a fault strikes, counted from the beginning of the chaos stage. At most one of Every,
// Poisson and Sequence is set; the zero value means once, at once.
type When struct {
	After    time.Duration   // wait so long before the first
	Every    time.Duration   // one after another, so long apart
	Jitter   float64         // Every: each pause is longer or shorter by up to this share, 0 to 1
	Poisson  float64         // at random, so many per second in the mean
	Sequence []time.Duration // at exactly these times, counted from After
	Burst    int             // so many at once each time; 0 is 1
	For      time.Duration   // Every, Poisson: over this long
	Times    int             // at most so many times; 0: no bound but For
}

// MaxShots bounds a schedule, and the plan of all of a run's together, so that it fits into memory.
const MaxShots = 1_000_000

// Validate reports every mistake, joined.
func (w When) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf("when: "+format, args...))
		}
	}
	repeats := w.Every != 0 || w.Poisson != 0
	bad(w.Every != 0 && w.Poisson != 0 || repeats && w.Sequence != nil,
		"more than one of every, poisson and sequence: want at most one")
	bad(w.After < 0 || w.Every < 0 || w.For < 0 || w.Poisson < 0 || w.Times < 0 || w.Burst < 0, "a negative number")
	bad(w.Jitter < 0 || w.Jitter > 1, "jitter %v%%: want 0%% to 100%%", w.Jitter*100)
	bad(w.Jitter != 0 && w.Every == 0, "jitter needs every")
	bad(repeats && w.For == 0 && w.Times == 0, "for how long, or how many times? set for or times")
	bad(!repeats && w.For != 0, "for needs every or poisson")
	bad(!repeats && w.Times > 1 || w.Sequence != nil && w.Times > 0, "times needs every or poisson")
	bad(w.Sequence != nil && len(w.Sequence) == 0, "a sequence without a time: want at least one")
	bad(slices.ContainsFunc(w.Sequence, func(d time.Duration) bool { return d < 0 }), "a negative time in the sequence")
	bad(w.Shots() > MaxShots, "%.0f injections are planned: want at most %d", w.Shots(), MaxShots)
	return errors.Join(errs...)
}

// Shots is how many injections the schedule makes: of a random one, in the mean.
func (w When) Shots() float64 {
	times := 1.0
	switch {
	case w.Sequence != nil:
		times = float64(len(w.Sequence))
	case w.Every > 0 && w.For > 0:
		times = math.Ceil(float64(w.For) / float64(w.Every))
	case w.Poisson > 0 && w.For > 0:
		times = w.Poisson * w.For.Seconds()
	case w.Every > 0 || w.Poisson > 0:
		times = float64(w.Times)
	}
	if w.Times > 0 {
		times = min(times, float64(w.Times))
	}
	return times * float64(max(w.Burst, 1))
}

// String is the one-line form: "every 200ms ±20% for 10s".
func (w When) String() string {
	var s []string
	switch {
	case w.Every > 0:
		s = append(s, "every "+w.Every.String())
		if w.Jitter > 0 {
			s = append(s, fmt.Sprintf("±%g%%", w.Jitter*100))
		}
	case w.Poisson > 0:
		s = append(s, fmt.Sprintf("poisson %g/s", w.Poisson))
	case w.Sequence != nil:
		s = append(s, "at "+strings.Trim(fmt.Sprint(w.Sequence), "[]"))
	default:
		s = append(s, "once")
	}
	if w.Burst > 1 {
		s = append(s, fmt.Sprintf("in bursts of %d", w.Burst))
	}
	if w.After > 0 {
		s = append(s, "after "+w.After.String())
	}
	if w.For > 0 {
		s = append(s, "for "+w.For.String())
	}
	if w.Times > 0 {
		s = append(s, fmt.Sprintf("%d times", w.Times))
	}
	return strings.Join(s, " ")
}

// times lists when the fault strikes. The same rng gives the same times.
func (w When) times(rng *rand.Rand) (list []time.Duration) {
	switch {
	case w.Sequence != nil:
		for _, at := range w.Sequence {
			list = append(list, w.After+at)
		}
		slices.Sort(list)
	case w.Every > 0, w.Poisson > 0:
		limit := MaxShots / max(w.Burst, 1)
		if w.Times > 0 {
			limit = min(limit, w.Times)
		}
		for at := w.first(rng); (w.For == 0 || at < w.For) && len(list) < limit; at += w.pause(rng) {
			list = append(list, w.After+at)
		}
	default:
		list = append(list, w.After)
	}
	return list
}

// first is the time of the first: at once for Every, after a random pause for Poisson.
func (w When) first(rng *rand.Rand) time.Duration {
	if w.Poisson > 0 {
		return w.pause(rng)
	}
	return 0
}

func (w When) pause(rng *rand.Rand) time.Duration {
	if w.Poisson > 0 {
		return time.Duration(rng.ExpFloat64() / w.Poisson * float64(time.Second))
	}
	return time.Duration(float64(w.Every) * (1 + w.Jitter*(2*rng.Float64()-1)))
}

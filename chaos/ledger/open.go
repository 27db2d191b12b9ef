package ledger

import (
	"math"
	"slices"
	"time"
)

// What is going on has no length yet. Until it ends it counts with what it has taken so far, for the conditions that
// are looked at meanwhile and at the end of a run that was cut short: it can only become longer.

// ongoing is something that is going on, and the line that shows since when.
type ongoing struct {
	since time.Duration
	line  int
}

// View is a distribution as it is now: what has ended, and what is going on.
type View struct {
	*Dist
	open []float64 // how long that is so far, in order
	Line int       // the line that shows the longest of all
}

// Now is the distribution as it is, with nothing that is going on.
func (d *Dist) Now() View { return View{Dist: d, Line: d.line} }

// with is the distribution as of that time, with what is going on.
func (d *Dist) with(open []ongoing, now time.Duration) View {
	v := d.Now()
	longest := d.Worst
	for _, o := range open {
		took := max(0, now-o.since).Seconds()
		v.open = append(v.open, took)
		if v.N() == 1 || took > longest {
			longest, v.Line = took, o.line
		}
	}
	slices.Sort(v.open)
	return v
}

// Calm is the same times by now, each without that for which the host was starved meanwhile.
func (v View) Calm(h *Host, now time.Duration) View {
	c := v.Dist.Calm(h).Now()
	for _, took := range v.open {
		since := now - time.Duration(took*float64(time.Second))
		c.open = append(c.open, took-h.Within(since, now).Seconds())
	}
	slices.Sort(c.open)
	return c
}

// N is the number of samples.
func (v View) N() int { return len(v.Samples) + len(v.open) }

func (v View) of(x float64) Reading {
	if v.N() == 0 {
		return Reading{}
	}
	return Reading{x, v.N()}
}

// Count is the number of samples.
func (v View) Count() Reading { return Reading{float64(v.N()), max(1, v.N())} }

// Mean is the sum of the samples by their number.
func (v View) Mean() Reading {
	sum := v.Sum
	for _, x := range v.open {
		sum += x
	}
	return v.of(sum / float64(v.N()))
}

// Max is the largest sample.
func (v View) Max() Reading {
	worst := v.Worst
	if n := len(v.open); n > 0 && (len(v.Samples) == 0 || v.open[n-1] > worst) {
		worst = v.open[n-1]
	}
	return v.of(worst)
}

// Min is the smallest sample.
func (v View) Min() Reading {
	least := math.Inf(1)
	if len(v.Samples) > 0 {
		least = slices.Min(v.Samples)
	}
	if len(v.open) > 0 {
		least = min(least, v.open[0])
	}
	return v.of(least)
}

// Quantile is the k-th smallest sample, k = ⌈q·n⌉; there is none for fewer than need samples.
func (v View) Quantile(q float64, need int) Reading {
	if v.N() < max(1, need) {
		return Reading{}
	}
	return v.of(v.Smallest(Rank(q, v.N())))
}

// Rank is the place of a quantile among n samples in order, from 1.
func Rank(q float64, n int) int { return int(math.Ceil(q * float64(n))) }

// Smallest is the k-th smallest of all, from 1: j of them are going on, and the others have ended.
func (v View) Smallest(k int) float64 {
	v.sort()
	for j := max(0, k-len(v.Samples)); ; j++ {
		i := k - j
		value := math.Inf(-1)
		if i > 0 {
			value = v.Samples[i-1]
		}
		if j > 0 {
			value = max(value, v.open[j-1])
		}
		if j == min(k, len(v.open)) || value <= v.open[j] { // the next one that is going on is none of them
			return value
		}
	}
}

// Recovering is slot.recovery, with the deaths whose slots are not back.
func (s *Ledger) Recovering() View {
	open := []ongoing{}
	for _, slot := range SortedKeys(s.Slots.Pending) {
		for _, d := range s.Slots.Pending[slot] {
			open = append(open, ongoing{d.At, d.Line})
		}
	}
	return s.Slots.Recover.with(open, s.Until())
}

// Latency is tasks.latency, in all or of one stage, with the tasks that have not ended: they are of the stage at hand.
func (s *Ledger) Latency(window int) View {
	d := &s.Tasks.latency[window]
	if s.Stage < Steady || window > 0 && int(s.Stage-Steady)+1 != window {
		return d.Now()
	}
	open := make([]ongoing, 0, len(s.Tasks.open))
	for _, o := range s.Tasks.open {
		open = append(open, o)
	}
	return d.with(open, s.Until())
}

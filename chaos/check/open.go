package check

import (
	"math"
	"slices"
	"strings"
	"time"
)

// What is going on has no length yet. Until it ends it counts with what it has taken so far, for the conditions that are looked
// at meanwhile and at the end of a run that was cut short: it can only become longer.

// ongoing is something that is going on, and the line that shows since when.
type ongoing struct {
	since time.Duration
	line  int
}

// view is a distribution as it is now: what has ended, and what is going on.
type view struct {
	*dist
	open []float64 // how long that is so far, in order
	line int       // the line that shows the longest of all
}

func (d *dist) now() view { return view{dist: d, line: d.line} }

// with is the distribution as of that time, with what is going on.
func (d *dist) with(open []ongoing, now time.Duration) view {
	v := d.now()
	longest := d.worst
	for _, o := range open {
		took := max(0, now-o.since).Seconds()
		v.open = append(v.open, took)
		if v.n() == 1 || took > longest {
			longest, v.line = took, o.line
		}
	}
	slices.Sort(v.open)
	return v
}

// calm is the same times by now, each without that for which the host was starved meanwhile.
func (v view) calm(h *host, now time.Duration) view {
	c := v.dist.calm(h).now()
	for _, took := range v.open {
		since := now - time.Duration(took*float64(time.Second))
		c.open = append(c.open, took-h.within(since, now).Seconds())
	}
	slices.Sort(c.open)
	return c
}

// n is the number of samples.
func (v view) n() int { return len(v.samples) + len(v.open) }

func (v view) of(x float64) reading {
	if v.n() == 0 {
		return reading{}
	}
	return reading{x, v.n()}
}

func (v view) count() reading { return reading{float64(v.n()), max(1, v.n())} }

func (v view) mean() reading {
	sum := v.sum
	for _, x := range v.open {
		sum += x
	}
	return v.of(sum / float64(v.n()))
}

func (v view) max() reading {
	worst := v.worst
	if n := len(v.open); n > 0 && (len(v.samples) == 0 || v.open[n-1] > worst) {
		worst = v.open[n-1]
	}
	return v.of(worst)
}

func (v view) min() reading {
	least := math.Inf(1)
	if len(v.samples) > 0 {
		least = slices.Min(v.samples)
	}
	if len(v.open) > 0 {
		least = min(least, v.open[0])
	}
	return v.of(least)
}

// quantile is the k-th smallest sample, k = ⌈q·n⌉; there is none for fewer than need samples.
func (v view) quantile(q float64, need int) reading {
	if v.n() < max(1, need) {
		return reading{}
	}
	return v.of(v.smallest(rank(q, v.n())))
}

// rank is the place of a quantile among n samples in order, from 1.
func rank(q float64, n int) int { return int(math.Ceil(q * float64(n))) }

// smallest is the k-th smallest of all, from 1: j of them are going on, and the others have ended.
func (v view) smallest(k int) float64 {
	v.sort()
	for j := max(0, k-len(v.samples)); ; j++ {
		i := k - j
		value := math.Inf(-1)
		if i > 0 {
			value = v.samples[i-1]
		}
		if j > 0 {
			value = max(value, v.open[j-1])
		}
		if j == min(k, len(v.open)) || value <= v.open[j] { // the next one that is going on is none of them
			return value
		}
	}
}

// recovering is slot.recovery, with the deaths whose slots are not back.
func (s *state) recovering() view {
	open := []ongoing{}
	for _, slot := range sortedKeys(s.slots.pending) {
		for _, d := range s.slots.pending[slot] {
			open = append(open, ongoing{d.at, d.line})
		}
	}
	return s.slots.recover.with(open, s.until())
}

// latency is tasks.latency, in all or of one stage, with the tasks that have not ended: they are of the stage at hand.
func (s *state) latency(window int) view {
	d := &s.account.latency[window]
	if s.stage < steady || window > 0 && int(s.stage-steady)+1 != window {
		return d.now()
	}
	open := make([]ongoing, 0, len(s.account.open))
	for _, o := range s.account.open {
		open = append(open, o)
	}
	return d.with(open, s.until())
}

// fewSamples is a quantile of which there are fewer samples than it needs.
type fewSamples struct {
	view
	q    float64
	need int
}

// few is the quantile of that name, if that is what it is.
func (s *state) few(metric string) (fewSamples, bool) {
	for _, q := range quantiles {
		if d, of := s.distOf(metric); of != nil && strings.HasSuffix(metric, "."+q.name) && d.n() > 0 && d.n() < q.need {
			return fewSamples{d, q.q, q.need}, true
		}
	}
	return fewSamples{}, false
}

// now is what those come to that there are.
func (f fewSamples) now() float64 { return f.smallest(rank(f.q, f.n())) }

// hopeless tells whether the comparison cannot hold whatever the samples would be that are missing. The quantile is the k-th
// smallest of all: at least k of them are at most the limit, or fewer than k below it.
func (f fewSamples) hopeless(op string, limit float64) bool {
	k, missing := rank(f.q, f.need), f.need-f.n()
	below, upTo := 0, 0
	for i := 1; i <= f.n(); i++ {
		switch x := f.smallest(i); {
		case x < limit:
			below, upTo = below+1, upTo+1
		case x == limit:
			upTo++
		}
	}
	tooLarge, tooSmall := upTo+missing < k, below >= k
	switch op {
	case "<=":
		return tooLarge
	case "<":
		return below+missing < k
	case ">=":
		return tooSmall
	case ">":
		return upTo >= k
	case "==":
		return tooLarge || tooSmall
	case "!=":
		return below+missing < k && upTo >= k
	}
	return false
}

package ledger

import (
	"math"
	"slices"
	"time"
)

// Dist is the samples of a distribution, in seconds. +Inf is a sample like any other: something that never happened.
type Dist struct {
	Samples []float64
	spans   []Span // when they were, in the order in which they came
	sorted  int    // so many of them are in order
	Sum     float64
	Worst   float64
	line    int // the line that shows the largest
}

// add takes a sample that began and ended then. One that ended before it began has no length.
func (d *Dist) add(from, to time.Duration, line int) {
	to = max(from, to)
	d.spans = append(d.spans, Span{from, to})
	d.addSeconds((to - from).Seconds(), line)
}

func (d *Dist) clone() Dist {
	c := *d
	c.Samples, c.spans = slices.Clone(d.Samples), slices.Clone(d.spans)
	return c
}

// Calm is the distribution of the same times, each without that for which the host was starved meanwhile. What never
// happened stays so.
func (d *Dist) Calm(h *Host) *Dist {
	c := &Dist{}
	for _, s := range d.spans {
		c.addSeconds((s.to - s.from - h.Within(s.from, s.to)).Seconds(), 0)
	}
	for range len(d.Samples) - len(d.spans) {
		c.addSeconds(math.Inf(1), 0)
	}
	return c
}

func (d *Dist) addSeconds(v float64, line int) {
	if len(d.Samples) == 0 || v > d.Worst {
		d.Worst, d.line = v, line
	}
	d.Samples = append(d.Samples, v)
	d.Sum += v
}

// never adds a sample of something that did not happen.
func (d *Dist) never(line int) { d.addSeconds(math.Inf(1), line) }

// sort orders the samples. Those from the last time are in order already, so that asking again and again is cheap.
func (d *Dist) sort() {
	if d.sorted == len(d.Samples) {
		return
	}
	fresh := slices.Clone(d.Samples[d.sorted:])
	slices.Sort(fresh)
	old, at := d.sorted-1, len(d.Samples)-1
	for next := len(fresh) - 1; next >= 0; at-- {
		if old >= 0 && d.Samples[old] > fresh[next] {
			d.Samples[at] = d.Samples[old]
			old--
		} else {
			d.Samples[at] = fresh[next]
			next--
		}
	}
	d.sorted = len(d.Samples)
}

// Finite is the samples of what did happen, ascending; of more than most it is so many from all over their range.
func (d *Dist) Finite(most int) []float64 {
	d.sort()
	n := len(d.Samples)
	for n > 0 && math.IsInf(d.Samples[n-1], 1) {
		n--
	}
	if n <= most {
		return slices.Clone(d.Samples[:n])
	}
	some := make([]float64, most)
	for i := range some {
		some[i] = d.Samples[(2*i+1)*n/(2*most)]
	}
	return some
}

// Reading is the value of a metric and how many measurements it comes from; without any there is no data.
type Reading struct {
	Value   float64
	Samples int
}

// Count is the reading of a number of things, looked for in so many records.
func Count(n, records int) Reading {
	if records == 0 {
		return Reading{}
	}
	return Reading{float64(n), records}
}

// forever is a time that did not end.
var forever = math.Inf(1)

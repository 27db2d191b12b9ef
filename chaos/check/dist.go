package check

import (
	"math"
	"slices"
	"time"
)

// dist is the samples of a distribution, in seconds. +Inf is a sample like any other: something that never happened.
type dist struct {
	samples []float64
	spans   []span // when they were, in the order in which they came
	sorted  int    // so many of them are in order
	sum     float64
	worst   float64
	line    int // the line that shows the largest
}

// add takes a sample that began and ended then. One that ended before it began has no length.
func (d *dist) add(from, to time.Duration, line int) {
	to = max(from, to)
	d.spans = append(d.spans, span{from, to})
	d.addSeconds((to - from).Seconds(), line)
}

func (d *dist) clone() dist {
	c := *d
	c.samples, c.spans = slices.Clone(d.samples), slices.Clone(d.spans)
	return c
}

// calm is the distribution of the same times, each without that for which the host was starved meanwhile. What never
// happened stays so.
func (d *dist) calm(h *host) *dist {
	c := &dist{}
	for _, s := range d.spans {
		c.addSeconds((s.to - s.from - h.within(s.from, s.to)).Seconds(), 0)
	}
	for range len(d.samples) - len(d.spans) {
		c.addSeconds(math.Inf(1), 0)
	}
	return c
}

func (d *dist) addSeconds(v float64, line int) {
	if len(d.samples) == 0 || v > d.worst {
		d.worst, d.line = v, line
	}
	d.samples = append(d.samples, v)
	d.sum += v
}

// never adds a sample of something that did not happen.
func (d *dist) never(line int) { d.addSeconds(math.Inf(1), line) }

// sort orders the samples. Those from the last time are in order already, so that asking again and again is cheap.
func (d *dist) sort() {
	if d.sorted == len(d.samples) {
		return
	}
	fresh := slices.Clone(d.samples[d.sorted:])
	slices.Sort(fresh)
	old, at := d.sorted-1, len(d.samples)-1
	for next := len(fresh) - 1; next >= 0; at-- {
		if old >= 0 && d.samples[old] > fresh[next] {
			d.samples[at] = d.samples[old]
			old--
		} else {
			d.samples[at] = fresh[next]
			next--
		}
	}
	d.sorted = len(d.samples)
}

// finite is the samples of what did happen, ascending; of more than most it is so many from all over their range.
func (d *dist) finite(most int) []float64 {
	d.sort()
	n := len(d.samples)
	for n > 0 && math.IsInf(d.samples[n-1], 1) {
		n--
	}
	if n <= most {
		return slices.Clone(d.samples[:n])
	}
	some := make([]float64, most)
	for i := range some {
		some[i] = d.samples[(2*i+1)*n/(2*most)]
	}
	return some
}

// reading is the value of a metric and how many measurements it comes from; without any there is no data.
type reading struct {
	value   float64
	samples int
}

// count is the reading of a number of things, looked for in so many records.
func count(n, records int) reading {
	if records == 0 {
		return reading{}
	}
	return reading{float64(n), records}
}

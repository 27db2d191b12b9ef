package check

import (
	"math"
	"slices"
	"time"
)

// dist is the samples of a distribution, in seconds. +Inf is a sample like any other: something that never happened.
type dist struct {
	samples []float64
	sorted  int // so many of them are in order
	sum     float64
	worst   float64
	line    int // the line that shows the largest
}

func (d *dist) add(v time.Duration, line int) { d.addSeconds(v.Seconds(), line) }

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

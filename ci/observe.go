package ci

import (
	"math"
	"slices"

	"github.com/respawn-go/respawn/reports"
)

// view is one way to look at a time.
type view int

const (
	asItWas  view = iota // log of seconds
	inFloors             // log of spawn floors
	floors               // log of the floor itself
)

// observation is what one run showed.
type observation struct {
	recoveries []float64 // log of seconds, ascending
	floor      float64   // log of seconds
}

type observed []observation

// observe is what the runs showed, those that have a floor and a slot that recovered.
func observe(list []*reports.Report) (all observed) {
	for _, r := range list {
		floor := r.Floors[floorName]
		if r.Skipped != "" || !(floor > 0) || math.IsInf(floor, 0) {
			continue
		}
		o := observation{floor: math.Log(floor)}
		for _, v := range recoveries(r) {
			if v > 0 && !math.IsInf(v, 0) {
				o.recoveries = append(o.recoveries, math.Log(v))
			}
		}
		if slices.Sort(o.recoveries); len(o.recoveries) > 0 {
			all = append(all, o)
		}
	}
	return all
}

const floorName = "spawn"

// recoveries is each of a run's, or the best summary of them that the report has.
func recoveries(r *reports.Report) []float64 {
	if len(r.Recoveries) > 0 {
		return r.Recoveries
	}
	for _, name := range []string{"slot.recovery.p50", "slot.recovery.max"} {
		if v, ok := r.Metrics[name]; ok {
			return []float64{v}
		}
	}
	return nil
}

func runMedian(ascending []float64) float64 {
	n := len(ascending)
	return (ascending[(n-1)/2] + ascending[n/2]) / 2
}

// runTail is the value that nine in ten do not exceed.
func runTail(ascending []float64) float64 {
	return ascending[int(math.Ceil(0.9*float64(len(ascending))))-1]
}

// of is a value for each run.
func (all observed) of(v view, summary func([]float64) float64) []float64 {
	list := make([]float64, len(all))
	for i, o := range all {
		switch v {
		case asItWas:
			list[i] = summary(o.recoveries)
		case inFloors:
			list[i] = summary(o.recoveries) - o.floor
		case floors:
			list[i] = o.floor
		}
	}
	return list
}

func middle(all observed, v view) float64 { return math.Exp(median(all.of(v, runMedian))) }

func deaths(all observed) (n int) {
	for _, o := range all {
		n += len(o.recoveries)
	}
	return n
}

// all is every single death of the runs.
func (all observed) all(v view) (list []float64) {
	for _, o := range all {
		for _, x := range o.recoveries {
			if v == inFloors {
				x -= o.floor
			}
			list = append(list, x)
		}
	}
	return list
}

// thinned is the values, or some of them from all over their range, for what is quadratic in their number.
func thinned(v []float64) []float64 {
	const most = 60
	if len(v) <= most {
		return v
	}
	slices.Sort(v)
	some := make([]float64, most)
	for i := range some {
		some[i] = v[(2*i+1)*len(v)/(2*most)]
	}
	return some
}

package ci

import (
	"math"
	"slices"
)

// looked is what one summary of the runs shows of a shift between the two sides.
type looked struct {
	least float64 // the shift, log, the lower of both views
	needs float64 // the shift that nine in ten comparisons of such runs find
	red   bool
}

// look compares a summary of each run. What counts is the view that shows the lower shift: it must be the ratio or
// more, and more than chance explains.
func look(a, b observed, summary func([]float64) float64, ratio, p float64) (l looked) {
	const nineInTen = 1.2816 // standard errors
	for _, v := range []view{asItWas, inFloors} {
		x, y := a.of(v, summary), b.of(v, summary)
		by, se := shift(x, y), scatter(x, y)*math.Sqrt(1/float64(len(x))+1/float64(len(y)))
		if v == asItWas || by < l.least {
			limit := max(math.Log(ratio), critical(len(x), len(y), p)*se)
			l = looked{least: by, needs: limit + nineInTen*efficiency*se, red: by >= limit-rounding}
		}
	}
	return l
}

// rounding is below what any clock tells.
const rounding = 1e-9

// tail is what is far out on the slow side.
type tail struct {
	hits, before int     // deaths beyond the limit, and in the baseline
	limit        float64 // as a multiple of the baseline's median
	red          bool
}

// beyond counts the deaths that took, in both views, far longer than the baseline leads to expect: three times its
// median, or six standard deviations if those are more. It takes for granted that any host has one such in a hundred
// now and then, one in two hundred ten times as far out, or as many as the baseline had; more is red, if it was in more
// than one run.
func beyond(a, b observed, p float64) tail {
	const furthest, deviations = 3, 6
	var limit [2]float64
	t := tail{limit: 1}
	for _, v := range []view{asItWas, inFloors} {
		all := a.all(v)
		center, spread := median(slices.Clone(all)), scatter(thinned(all))
		limit[v] = center + math.Log(furthest)
		if !math.IsNaN(spread) { // as of a single death
			limit[v] = max(limit[v], center+deviations*spread)
		}
		t.limit = max(t.limit, math.Exp(limit[v]-center))
	}
	for _, step := range []struct{ out, usual float64 }{{0, 0.01}, {math.Log(10), 0.005}} {
		beyond := func(all observed) (hits, runs int) {
			for _, o := range all {
				n := 0
				for _, x := range o.recoveries {
					if x > limit[asItWas]+step.out && x-o.floor > limit[inFloors]+step.out {
						n++
					}
				}
				hits += n
				runs += min(n, 1)
			}
			return hits, runs
		}
		before, _ := beyond(a)
		hits, runs := beyond(b)
		rate := step.usual
		if before > 0 {
			rate = max(rate, float64(before+1)/float64(deaths(a)+1))
		}
		if step.out == 0 {
			t.hits, t.before = hits, before
		}
		t.red = t.red || runs > 1 && atLeast(hits, deaths(b), rate) < p
	}
	return t
}

// atLeast is the probability of k or more out of n where each has that rate.
func atLeast(k, n int, rate float64) float64 {
	if k <= 0 {
		return 1
	}
	less, logN := 0.0, lgamma(n+1)
	for i := range min(k, n+1) {
		less += math.Exp(
			logN - lgamma(i+1) - lgamma(n-i+1) + float64(i)*math.Log(rate) + float64(n-i)*math.Log1p(-rate))
	}
	return max(0, 1-less)
}

func lgamma(n int) float64 {
	v, _ := math.Lgamma(float64(n))
	return v
}

package ci

import (
	"math"
	"slices"
)

// The estimators of the comparison stand a run in four that is far off, on either side, which means and rank tests do
// not: of six runs a side one outlier alone keeps a rank test from ever being sure.

// shift is the Hodges-Lehmann estimate of how much b lies above a: the median of all differences between the two.
func shift(a, b []float64) float64 {
	d := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			d = append(d, y-x)
		}
	}
	return median(d)
}

// scatter is the standard deviation that the groups share, of the values that lie within six of it around their group's
// middle. What these six are is told by the Shamos estimate: the median of all differences within a group, as a
// multiple of which a normal distribution has its deviation.
func scatter(groups ...[]float64) float64 {
	const shamos, within = 1.0483, 6
	var d []float64
	for _, g := range groups {
		for i, x := range g {
			for _, y := range g[:i] {
				d = append(d, math.Abs(x-y))
			}
		}
	}
	if len(d) == 0 {
		return math.NaN()
	}
	about := shamos * median(d)
	squares, free := 0.0, -len(groups)
	for _, g := range groups {
		middle := median(slices.Clone(g))
		near := slices.DeleteFunc(slices.Clone(g), func(x float64) bool { return math.Abs(x-middle) > within*about })
		center := mean(near)
		for _, x := range near {
			squares += (x - center) * (x - center)
		}
		free += len(near)
	}
	return math.Sqrt(squares / float64(max(free, 1)))
}

func mean(v []float64) (m float64) {
	for _, x := range v {
		m += x / float64(len(v))
	}
	return m
}

// median sorts its argument; NaN of nothing.
func median(v []float64) float64 {
	n := len(v)
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// critical is how many standard errors a shift between n and m values of one normal distribution exceeds with
// probability p: a quantile of Student's t, with as many degrees of freedom as the Shamos scatter is worth.
// TestTheCriticalValueIsThatOfTheSimulatedStatistic has the figures that it was fitted to.
func critical(n, m int, p float64) float64 {
	z := math.Sqrt2 * math.Erfinv(1-2*p)
	f := freedom * float64(n+m-2)
	return efficiency * z * (1 + (z*z+1)/(4*f) + (5*math.Pow(z, 4)+16*z*z+3)/(96*f*f) +
		(3*math.Pow(z, 6)+19*math.Pow(z, 4)+17*z*z-15)/(384*f*f*f))
}

const (
	freedom    = 0.88 // of the t distribution's, for each of the mean's and the deviation's
	efficiency = 1.02 // of the Hodges-Lehmann estimate's standard error, in the mean's
)

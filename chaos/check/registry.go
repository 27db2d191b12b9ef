package check

import (
	"fmt"
	"math"
	"slices"
)

// forever is a time that did not end.
var forever = math.Inf(1)

// registry is every metric, in the order in which docs list them.
var registry = slices.Concat(poolMetrics, memberMetrics, taskMetrics, faultMetrics, leftMetrics, hostMetrics)

var index = func() map[string]int {
	at := make(map[string]int, len(registry))
	for i, m := range registry {
		at[m.Name] = i
	}
	return at
}()

// quantiles are the ends of the names of a distribution's quantiles, and the number of samples below which there is no
// such quantile: 1/(1-q).
var quantiles = []struct {
	name string
	q    float64
	need int
}{{"p50", 0.50, 2}, {"p90", 0.90, 10}, {"p95", 0.95, 20}, {"p99", 0.99, 100}}

// distribution is the metrics of one: count, min, mean, the quantiles and max.
func distribution(name, meaning, sample string, of func(*state) view) []Metric {
	one := func(end, what, formula string, value func(view) reading) Metric {
		return Metric{
			Name: name + "." + end, Unit: Seconds, Meaning: what + " of " + meaning + ".", Formula: formula, Live: true,
			of:   func(s *state) reading { return value(of(s)) },
			calm: func(s *state) reading { return value(of(s).calm(&s.host, s.until())) },
		}
	}
	all := []Metric{
		one("count", "Number", "One sample: "+sample+".", view.count),
		one("min", "Shortest", "The smallest sample.", view.min),
		one("mean", "Mean", "The sum of the samples by their number.", view.mean),
	}
	all[0].Unit, all[0].calm = Count, nil
	for _, q := range quantiles {
		all = append(all, one(q.name, q.name, fmt.Sprintf(
			"The k-th smallest of n samples, k = ⌈%v·n⌉; no data for fewer than %d samples.", q.q, q.need),
			func(v view) reading { return v.quantile(q.q, q.need) }))
		all[len(all)-1].Needs = q.need
	}
	all = append(all, one("max", "Longest", "The largest sample.", view.max))
	all[len(all)-1].Lasting = true
	return all
}

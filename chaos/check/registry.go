package check

import "slices"

// registry is every metric, in the order in which docs list them.
var registry = slices.Concat(poolMetrics, memberMetrics, taskMetrics, faultMetrics, hostMetrics)

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
func distribution(name, meaning, sample string) []Metric {
	one := func(end, what, formula string) Metric {
		return Metric{Name: name + "." + end, Unit: Seconds, Meaning: what + " of " + meaning, Formula: formula, Live: true}
	}
	all := []Metric{
		one("count", "Number of samples", "One sample: "+sample+"."),
		one("min", "Shortest", "The smallest sample."),
		one("mean", "Mean", "The sum of the samples by their number."),
	}
	all[0].Unit = Count
	for _, q := range quantiles {
		all = append(all, one(q.name, q.name,
			"The k-th smallest of n samples, k = ⌈q·n⌉; no data for fewer than 1/(1−q) samples."))
	}
	return append(all, one("max", "Longest", "The largest sample."))
}

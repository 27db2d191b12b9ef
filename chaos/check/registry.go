package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// registry is every metric, in the order in which docs list them.
var registry = slices.Concat(poolMetrics, memberMetrics, taskMetrics, fleetMetrics, faultMetrics, leftMetrics,
	hostMetrics)

var index = func() map[string]int {
	at := make(map[string]int, len(registry))
	for i, m := range registry {
		at[m.Name] = i
	}
	return at
}()

// atMost is the metrics that a metric is never larger than, in any run.
var atMost = func() map[string][]string {
	most := map[string][]string{
		"tasks.settled": {"tasks.submitted"}, "tasks.ok": {"tasks.settled"}, "tasks.failed": {"tasks.settled"},
		"tasks.rejected": {"tasks.settled"}, "tasks.wrong": {"tasks.submitted"}, "tasks.lost": {"tasks.unsettled"},
		"tasks.hung": {"tasks.unsettled"}, "tasks.unsettled": {"tasks.submitted"},
		"tasks.unsettled.prefix": {"tasks.unsettled"}, "tasks.unsettled.middle": {"tasks.unsettled"},
		"tasks.unsettled.postfix": {"tasks.unsettled"}, "tasks.unwitnessed": {"tasks.submitted"},
		"tasks.executions.mean": {"tasks.executions.max"}, "tasks.executions.max": {"tasks.executions.total"},
		"pool.ready": {"pool.size"}, "pool.missing": {"pool.want"}, "slots.silent": {"pool.want"},
		"slots.answering": {"pool.want"}, "slots.apart": {"pool.want"},
		"slots.lost": {"slot.recovery.count"}, "pool.below.max": {"pool.below.total"},
		"faults.injected": {"faults.planned"}, "faults.confirmed": {"faults.planned"},
		"faults.already_gone": {"faults.planned"}, "faults.refused": {"faults.planned"},
		"faults.unconfirmed": {"faults.planned"}, "faults.missed": {"faults.planned"},
		"faults.fatal": {"faults.confirmed"}, "faults.healed": {"faults.injected"},
		"faults.heal_failed": {"faults.injected"},
	}
	for _, m := range registry {
		if m.Name != "exits.total" && strings.HasPrefix(m.Name, "exits.") {
			most[m.Name] = append(most[m.Name], "exits.total")
		}
		if family, ok := strings.CutSuffix(m.Name, ".p50"); ok { // a distribution
			ends := []string{".min", ".p50", ".p90", ".p95", ".p99", ".max"}
			for i, end := range ends[1:] {
				most[family+ends[i]] = append(most[family+ends[i]], family+end)
			}
			most[family+".min"] = append(most[family+".min"], family+".mean")
			most[family+".mean"] = append(most[family+".mean"], family+".max")
		}
	}
	return most
}()

// populations are what the figures of a family of metrics are told from. A longer name comes before a shorter one.
var populations = []struct{ family, of string }{
	{"pool.below.total", "looks"},
	{"pool.below.", "intervals"},
	{"pool.recovery.", "deaths"},
	{"pool.", "looks"},
	{"slot.recovery.", "deaths"},
	{"settle.", "deaths"},
	{"slots.lost", "deaths"},
	{"slots.together.between", "calm times"},
	{"slots.", "probes"},
	{"probes.", "probes"},
	{"tasks.executions.", "executions"},
	{"tasks.", "tasks"},
	{"broker.", "outcomes"},
	{"fleet.", "accounts"},
	{"load.", "tasks"},
	{"blame.", "executions and blames"},
	{"pids.", "events"},
	{"exits.", "events"},
	{"starts.", "events"},
	{"members.", "events"},
	{"breaker.", "events"},
	{"results.", "events"},
	{"faults.", "injections"},
	{"processes.", "looks"},
	{"cgroups.", "looks"},
	{"fds.", "looks"},
	{"goroutines.", "looks"},
	{"memory.", "looks"},
	{"host.", "looks"},
	{"events.", "notes"},
}

// population is what the figure of the metric is told from.
func population(metric string) string {
	for _, p := range populations {
		if strings.HasPrefix(metric, p.family) {
			return p.of
		}
	}
	return ""
}

// quantiles are the ends of the names of a distribution's quantiles, and the number of samples below which there is no
// such quantile: 1/(1-q).
var quantiles = []struct {
	name string
	q    float64
	need int
}{{"p50", 0.50, 2}, {"p90", 0.90, 10}, {"p95", 0.95, 20}, {"p99", 0.99, 100}}

// distribution is the metrics of one: count, min, mean, the quantiles and max.
func distribution(name, meaning, sample string, of func(*state) ledger.View) []Metric {
	one := func(end, what, formula string, value func(ledger.View) ledger.Reading) Metric {
		return Metric{
			Name: name + "." + end, Unit: Seconds, Meaning: what + " of " + meaning + ".", Formula: formula, Live: true,
			of:   func(s *state) ledger.Reading { return value(of(s)) },
			calm: func(s *state) ledger.Reading { return value(of(s).Calm(&s.Host, s.Until())) },
		}
	}
	all := []Metric{
		one("count", "Number", "One sample: "+sample+".", ledger.View.Count),
		one("min", "Shortest", "The smallest sample.", ledger.View.Min),
		one("mean", "Mean", "The sum of the samples by their number.", ledger.View.Mean),
	}
	all[0].Unit, all[0].calm = Count, nil
	for _, q := range quantiles {
		all = append(all, one(q.name, q.name, fmt.Sprintf(
			"The k-th smallest of n samples, k = ⌈%v·n⌉; no data for fewer than %d samples.", q.q, q.need),
			func(v ledger.View) ledger.Reading { return v.Quantile(q.q, q.need) }))
		all[len(all)-1].Needs = q.need
	}
	all = append(all, one("max", "Longest", "The largest sample.", ledger.View.Max))
	all[len(all)-1].Lasting = true
	return all
}

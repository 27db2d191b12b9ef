package reports

import (
	"fmt"
	"math"
	"slices"

	"github.com/respawn-go/respawn/chaos/check"
)

// tile is one figure of the page's first look.
type tile struct {
	Value, Name, Note string
	Bad               bool
}

// mostBroken bounds the tiles of conditions that were broken.
const mostBroken = 3

// tiles are the run in a few numbers; those without data are left out.
func (r *Report) tiles() (list []tile) {
	add := func(name, metric string, note string) {
		if v, ok := r.Metrics[metric]; ok {
			list = append(list, tile{Value: value(metric, v), Name: name, Note: note, Bad: math.IsInf(v, 0)})
		}
	}
	for _, t := range r.Thresholds {
		if !t.OK && !t.NoData && !t.NotJudged && len(list) < mostBroken {
			list = append(list,
				tile{Value: value(t.Metric, t.Actual), Name: t.Metric, Note: "broken: " + t.Text, Bad: true})
		}
	}
	if n := r.Metrics["faults.planned"]; n > 0 {
		add("faults confirmed", "faults.confirmed", fmt.Sprintf("of %s planned", whole(n)))
	}
	note := "each once, with the right value"
	if n := r.Metrics["tasks.retried"]; n > 0 {
		note = whole(n) + " of them run again"
	}
	add("tasks gave their values", "tasks.ok", note)
	switch n, v := r.Metrics["slot.recovery.count"], r.Metrics["slot.recovery.max"]; {
	case r.typicalRecovery() == "slot.recovery.max" && n > 1:
		add("slot recovery, longest", "slot.recovery.max", "of "+whole(n)+" deaths")
	case r.typicalRecovery() == "slot.recovery.max":
		add("slot recovery", "slot.recovery.max", "one death")
	default:
		add("slot recovery, median", "slot.recovery.p50", "longest "+seconds(v)+" of "+whole(n)+" deaths")
	}
	add("under the wanted size", "pool.below.total", "in all, with faults going on")
	add("throughput under faults", "tasks.throughput.during",
		r.share("tasks.throughput.during", "tasks.throughput.before"))
	if v := r.Metrics["exits.unexplained"]; v > 0 &&
		!slices.ContainsFunc(list, func(t tile) bool { return t.Name == "exits.unexplained" }) {
		list = append(list, tile{Value: whole(v), Name: "exits nobody explains", Bad: true})
	}
	return list
}

// typicalRecovery is the metric that a run's slot recovery is told by: the median, and where there are too few deaths
// for one the longest.
func (r *Report) typicalRecovery() string {
	if _, ok := r.Metrics["slot.recovery.p50"]; ok {
		return "slot.recovery.p50"
	}
	return "slot.recovery.max"
}

// share is how much one metric is of another.
func (r *Report) share(metric, of string) string {
	if whole := r.Metrics[of]; whole > 0 {
		return fmt.Sprintf("%.0f%% of that before", 100*r.Metrics[metric]/whole)
	}
	return ""
}

// plural is a number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return whole(float64(n)) + " " + noun + "s"
}

// verdictWord is what stands beside the verdict for those who do not see its colour.
func verdictWord(v check.Verdict) string {
	return map[check.Verdict]string{
		check.Pass: "every promise held", check.Fail: "a promise was broken",
		check.Inconclusive: "the run proves nothing", check.Aborted: "interrupted",
		check.Error: "the harness itself failed", running: "there is no verdict yet",
	}[v]
}

package export

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/reports"
)

// recoveryBuckets are the bounds of the histogram of recoveries, in seconds.
var recoveryBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Prometheus writes what a run came to in the text format that Prometheus scrapes, node_exporter's textfile collector
// reads and a push gateway takes: every metric of the report, the recoveries as a histogram, and the verdict. It has no
// timestamps, as such files must not.
func Prometheus(w io.Writer, r *reports.Report) error {
	out := bufio.NewWriter(w)
	labels := fmt.Sprintf(`scenario=%s,target=%s,seed="%d"`, quoted(r.Scenario), quoted(r.Target.Name), r.Seed)
	for _, name := range slices.Sorted(maps.Keys(r.Metrics)) {
		m, ok := check.Lookup(name)
		if !ok {
			continue
		}
		full := promName(name, m.Unit)
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s{%s} %s\n", full, escaped(m.Meaning), full, full, labels,
			number(r.Metrics[name]))
	}
	const recovery = "respawn_slot_recovery_seconds"
	fmt.Fprintf(out, "# HELP %s From a death until its slot has answered.\n# TYPE %s histogram\n", recovery, recovery)
	sum := 0.0
	for _, s := range r.Recoveries {
		sum += s
	}
	for _, bound := range append(slices.Clone(recoveryBuckets), math.Inf(1)) {
		n, _ := slices.BinarySearchFunc(r.Recoveries, bound, func(a, b float64) int {
			if a <= b {
				return -1
			}
			return 1
		})
		fmt.Fprintf(out, "%s_bucket{%s,le=\"%s\"} %d\n", recovery, labels, number(bound), n)
	}
	fmt.Fprintf(out, "%s_sum{%s} %s\n%s_count{%s} %d\n", recovery, labels, number(sum), recovery, labels,
		len(r.Recoveries))
	fmt.Fprintf(out, "# HELP respawn_verdict What the run came to: 1 for its verdict, 0 for the others.\n"+
		"# TYPE respawn_verdict gauge\n")
	for _, v := range []check.Verdict{check.Pass, check.Fail, check.Inconclusive, check.Aborted, check.Error} {
		is := 0
		if r.Verdict == v {
			is = 1
		}
		fmt.Fprintf(out, "respawn_verdict{%s,verdict=\"%s\"} %d\n", labels, v, is)
	}
	return out.Flush()
}

// promName is a metric's name with its unit at the end, as Prometheus has it. The endings _count and _total are for
// histograms and counters, and these figures are neither.
func promName(name string, u check.Unit) string {
	full := "respawn_" + strings.ReplaceAll(name, ".", "_")
	for ending, other := range map[string]string{"_count": "_samples", "_total": "_all"} {
		if rest, ok := strings.CutSuffix(full, ending); ok {
			full = rest + other
		}
	}
	return full + map[check.Unit]string{
		check.Seconds: "_seconds", check.Bytes: "_bytes", check.Ratio: "_ratio", check.PerSecond: "_per_second",
	}[u]
}

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// quoted is a label's value.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(strings.ToValidUTF8(s, "?")) + `"`
}

// escaped is the text of a HELP line.
func escaped(s string) string { return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s) }

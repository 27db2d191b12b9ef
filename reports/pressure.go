package reports

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
)

// pressureFigures are how the CPU time of the host was shared, and how late the harness's canary woke.
func (r *Report) pressureFigures() (list []Figure) {
	var xs, own, others, late []float64
	var starved [][2]float64
	most := 0.0
	cpu := Figure{
		ID: "host-cpu", Class: "small", Title: "CPU of the host",
		Columns: []string{"from", "harness and target, %", "others, %", "starved"},
		Desc: "Share of the host's CPU time that the harness and the target used, and that others did. Where too " +
			"little was left for the run, the host is marked as starved.",
		Legend: []Key{{"line", "harness and target"}, {"want", "others"}, {"bad", "starved"}},
	}
	canary := Figure{
		ID: "host-lateness", Class: "small", Title: "Lateness of a sleep", Columns: []string{"from", "latest"},
		Desc: "How much later than it should a goroutine of the harness woke that does nothing but sleep: the most " +
			"of each look at the host.",
	}
	for _, b := range r.Ledger.Series.Host.List {
		if b.To == 0 {
			continue
		}
		share := func(d time.Duration) float64 { return min(100, 100*float64(d)/float64(max(1, b.All))) }
		xs, own, others = append(xs, b.From.Seconds()), append(own, share(b.Own)), append(others, share(b.Others))
		late = append(late, b.Late.Seconds())
		most = max(most, b.Late.Seconds())
		word := "no"
		if b.Starved {
			word = "yes"
			starved = append(starved, [2]float64{b.From.Seconds(), b.To.Seconds()})
		}
		cpu.Rows = append(cpu.Rows, []string{
			seconds(b.From.Seconds()), whole(math.Round(share(b.Own))), whole(math.Round(share(b.Others))), word,
		})
		canary.Rows = append(canary.Rows, []string{seconds(b.From.Seconds()), seconds(b.Late.Seconds())})
	}
	if len(xs) == 0 {
		return nil
	}
	c := newChart(halfChart, 130, 72, r.DurationS, 100)
	r.bands(c, true)
	c.axes(times, counts)
	for _, s := range starved {
		c.rect("bad", s[0], 0, s[1], 4, "starved")
	}
	c.steps("want", xs, others, r.DurationS)
	c.steps("line", xs, own, r.DurationS)
	cpu.SVG = c.svg(cpu.ID, cpu.Title, cpu.Desc)
	c = newChart(halfChart, 130, 72, r.DurationS, max(most, 1e-3)*1.15)
	r.bands(c, true)
	c.axes(times, axis{text: seconds})
	c.steps("line", xs, late, r.DurationS)
	canary.SVG = c.svg(canary.ID, canary.Title, canary.Desc)
	return []Figure{cpu, canary}
}

// hostLine is one sentence on the host: whether the run had the CPU time that it wanted. "" where nobody looked.
func (r *Report) hostLine() string {
	starved, looked := r.Metrics["host.starved"]
	if !looked {
		return ""
	}
	parts := []string{}
	for _, k := range []struct{ metric, text string }{
		{"host.others", "others took %s of its CPU time"},
		{"host.own", "the run %s"},
		{"host.steal", "other machines %s"},
		{"host.throttled", "a limit stopped the run in %s of the periods"},
		{"host.lateness.max", "a sleep ended up to %s late"},
		{"host.floor.change", "a process starts in %s of the time before the run"},
	} {
		if v, ok := r.Metrics[k.metric]; ok && (v > 0 || k.metric == "host.others") {
			parts = append(parts, fmt.Sprintf(k.text, briefValue(k.metric, v)))
		}
	}
	how := "The host was not starved"
	if starved > 0 {
		how = fmt.Sprintf("The host was starved for %s of %s", seconds(starved), seconds(r.DurationS))
	}
	return how + ": " + strings.Join(parts, ", ") + "."
}

// briefValue is value with a ratio as a whole percentage.
func briefValue(metric string, v float64) string {
	if unitOf(metric) == check.Ratio {
		return whole(math.Round(100*v)) + "%"
	}
	return value(metric, v)
}

package reports_test

import (
	"bytes"
	"maps"
	"regexp"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// scaled is a run that passed, with its times and rates so many times as large.
func scaled(r *reports.Report, by float64) *reports.Report {
	c := *r
	c.Verdict, c.Metrics, c.Recoveries = reports.Pass, maps.Clone(r.Metrics), nil
	for name := range c.Metrics {
		c.Metrics[name] *= by
	}
	for _, v := range r.Recoveries {
		c.Recoveries = append(c.Recoveries, v*by)
	}
	return &c
}

// What the baseline's runs were lies behind what this run is: in the figures that have it, in words below them, and in
// the data.
func TestFiguresShowTheBaselineBehindTheRun(t *testing.T) {
	g := NewWithT(t)
	r := judged(storm.Storm{Tasks: 2000, Kills: 60})
	with := func(baseline ...*reports.Report) map[string]string {
		var out bytes.Buffer
		g.Expect(r.HTML(&out, baseline)).To(Succeed())
		figures := map[string]string{}
		for _, id := range []string{"lanes", "ready", "recovery", "spread", "throughput", "latency"} {
			figures[id] = figureOf(out.String(), id)
		}
		return figures
	}
	line, band := regexp.MustCompile(`<path class="ghost"`), regexp.MustCompile(`<rect class="ghosts"`)
	for id, f := range with() {
		g.Expect(line.MatchString(f)).To(BeFalse(), id)
		g.Expect(f).NotTo(ContainSubstring("aseline"), id)
	}

	several := with(scaled(r, 0.5), scaled(r, 0.6), scaled(r, 0.7))
	for _, id := range []string{"lanes", "ready"} {
		g.Expect(several[id]).NotTo(ContainSubstring("ghost"), id)
	}
	for id, lines := range map[string]int{"recovery": 1, "spread": 1, "throughput": 2, "latency": 2} {
		legend := 1
		g.Expect(line.FindAllString(several[id], -1)).To(HaveLen(lines+legend), id)
		if id != "spread" {
			g.Expect(band.FindAllString(several[id], -1)).To(HaveLen(lines), id)
			g.Expect(several[id]).To(ContainSubstring("baseline: the middle of its runs, and their range"), id)
			g.Expect(several[id]).To(ContainSubstring(`<p class="note">Baseline: `), id)
		}
	}
	g.Expect(several["recovery"]).To(MatchRegexp(`Baseline: slot\.recovery\.p50 [\d.]+ms \([\d.]+ms to [\d.]+ms\)\.`))
	g.Expect(several["spread"]).To(ContainSubstring("baseline, 3 runs"))
	g.Expect(several["spread"]).To(ContainSubstring(`<th scope="col">baseline, within</th>`))

	one := with(scaled(r, 100)) // far above all that this run has
	g.Expect(band.MatchString(one["recovery"])).To(BeFalse(), "one run has no range")
	y := regexp.MustCompile(`<path class="ghost"[^>]* d="M[\d.]+ ([\d.]+)H`).FindStringSubmatch(one["throughput"])
	g.Expect(y).NotTo(BeNil())
	g.Expect(number(g, y[1])).To(BeNumerically(">", 0), "the axis has room for it")
}

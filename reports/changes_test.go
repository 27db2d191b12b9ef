package reports_test

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/reports"
)

// recovered is a run that passed at an hour of the day, with that median recovery and throughput.
func recovered(hour int, recovery, throughput float64) *reports.Report {
	return &reports.Report{
		Facts: reports.Facts{Scenario: "a", Experiment: "x", Run: fmt.Sprint(hour), Started: time.Date(2026, 1, 1, hour,
			0, 0, 0, time.UTC)},
		Result: check.Result{Verdict: check.Pass, Metrics: map[string]float64{
			"slot.recovery.p50": recovery, "tasks.throughput.during": throughput, "slot.recovery.max": 1,
		}},
	}
}

// before is a baseline of five runs, not in the order of time.
func before() []*reports.Report {
	return []*reports.Report{
		recovered(3, 0.012, 101), recovered(1, 0.010, 100), recovered(2, 0.011, 99),
		recovered(5, 0.014, 100), recovered(4, 0.013, 100),
	}
}

func summaryOf(g *WithT, r *reports.Report, baseline []*reports.Report) string {
	var out bytes.Buffer
	g.Expect(r.Markdown(&out, baseline)).To(Succeed())
	return out.String()
}

func TestTheSummarySaysWhatGotBetterAndWorseSinceTheBaseline(t *testing.T) {
	g := NewWithT(t)
	text := summaryOf(g, recovered(6, 0.017, 150), before())
	g.Expect(text).To(ContainSubstring("\n| slot.recovery.p50 | 17ms | 12ms | ▲ +42%, worse | ▁▂▃▄▅█ |\n"),
		"in the order of time")
	g.Expect(text).To(ContainSubstring("\n| tasks.throughput.during | 150/s | 100/s | ▲ +50%, better | ▁▁▁▁▁█ |\n"))
	g.Expect(text).To(ContainSubstring("\n1 metric within the baseline's noise.\n"))
	g.Expect(text).NotTo(ContainSubstring("| slot.recovery.max |"))

	text = summaryOf(g, recovered(6, 0.012, 100), before())
	g.Expect(text).NotTo(ContainSubstring("since the baseline |"))
	g.Expect(text).To(ContainSubstring("\n3 metrics within the baseline's noise.\n"))
	g.Expect(summaryOf(g, recovered(6, 0.012, 100), nil)).NotTo(ContainSubstring("baseline"))

	never := recovered(6, math.Inf(1), 100)
	g.Expect(summaryOf(g, never, before())).To(ContainSubstring("worse | ▁▃▅▆█× |"),
		"no number, and not the highest of them")
}

func TestThePageSaysAtItsTopWhatChangedSinceTheBaseline(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	g.Expect(recovered(6, 0.017, 150).HTML(&out, before())).To(Succeed())
	header, _, _ := strings.Cut(out.String(), "</header>")
	g.Expect(header).
		To(ContainSubstring(`Since <a href="#baseline">the baseline</a>: 1 worse (slot.recovery.p50 ▲ &#43;42%), ` +
			`1 better (tasks.throughput.during ▲ &#43;50%), 1 within its noise</p>`))
	out.Reset()
	g.Expect(recovered(6, 0.017, 150).HTML(&out, nil)).To(Succeed())
	g.Expect(out.String()).NotTo(ContainSubstring("the baseline</a>"))
}

func TestTheIndexSaysWhatChangedSinceTheBaselineAndShowsTheTrend(t *testing.T) {
	g := NewWithT(t)
	page := func(entries ...reports.IndexEntry) string {
		var out bytes.Buffer
		g.Expect(reports.Index(&out, entries)).To(Succeed())
		return out.String()
	}
	trend := regexp.MustCompile(`role="img" aria-label="([^"]*)"[^>]*>([^<]*)<`)
	text := page(reports.IndexEntry{Report: recovered(6, 0.017, 1), Dir: "a", Baseline: before()},
		reports.IndexEntry{Report: recovered(7, 0.012, 1), Dir: "a.2", Baseline: before()})
	g.Expect(text).To(ContainSubstring(`<span class="change bad">▲ &#43;42%, worse, by the baseline</span>`))
	g.Expect(text).To(ContainSubstring(`<span class="change none">within its noise, by the baseline</span>`))
	g.Expect(trend.FindStringSubmatch(text)[1:]).
		To(Equal([]string{"recovery over 7 runs, from 10ms to 12ms", "▁▂▃▄▅█▃"}))

	text = page(reports.IndexEntry{Report: recovered(7, 0.020, 1), Dir: "new"},
		reports.IndexEntry{Report: recovered(1, 0.010, 1), Dir: "old"},
		reports.IndexEntry{Report: recovered(2, 0.010, 1), Dir: "mid"})
	g.Expect(text).To(ContainSubstring(`&#43;100% of its runs&#39; median`))
	g.Expect(trend.FindStringSubmatch(text)[2]).To(Equal("▁▁█"), "of the outputs that are there")
	text = page(reports.IndexEntry{Report: recovered(7, 0.020, 1), Dir: "new"})
	g.Expect(trend.FindStringSubmatch(text)).To(BeNil(), "one run is no trend")
	g.Expect(text).NotTo(ContainSubstring(`class="change`))
}

package browsertest

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// BenchmarkPageOfAMillionEvents opens the page of a run of a million events: ready-ms is the median time until it has
// been read and its script has run, drawn-ms until everything is loaded and painted, and MB its size.
func BenchmarkPageOfAMillionEvents(b *testing.B) {
	if browser == nil {
		b.Skip("no chromium here: apt-get install chromium")
	}
	g, dir := NewWithT(b), b.TempDir()
	history := filepath.Join(dir, "history.jsonl")
	g.Expect(storm.Storm{Tasks: 333_000, Kills: 200}.Write(history)).To(Succeed())
	r, err := reports.Judge(history)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Write(dir, nil)).To(Succeed())
	page := filepath.Join(dir, "report.html")
	info, err := os.Stat(page)
	g.Expect(err).NotTo(HaveOccurred())
	var ready, drawn []float64
	for b.Loop() {
		ctx, cancel := chromedp.NewContext(browser)
		g.Expect(chromedp.Do(ctx, chromedp.Navigate((&url.URL{Scheme: "file", Path: page}).String()))).To(Succeed())
		times, err := chromedp.Run(ctx,
			chromedp.Evaluate[[]float64](`new Promise(tell => requestAnimationFrame(() => setTimeout(() => {
			const n = performance.getEntriesByType("navigation")[0];
			const paint = performance.getEntriesByName("first-contentful-paint")[0];
			tell([n.domContentLoadedEventEnd, Math.max(n.loadEventEnd, paint ? paint.startTime : 0)]);
		})))`, chromedp.EvalAwaitPromise))
		g.Expect(err).NotTo(HaveOccurred())
		ready, drawn = append(ready, times[0]), append(drawn, times[1])
		cancel()
	}
	median := func(list []float64) float64 { slices.Sort(list); return list[len(list)/2] }
	b.ReportMetric(median(ready), "ready-ms")
	b.ReportMetric(median(drawn), "drawn-ms")
	b.ReportMetric(float64(info.Size())/1e6, "MB")
}

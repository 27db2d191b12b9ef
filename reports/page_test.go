package reports_test

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// judged is the report of a storm, judged like any history.
func judged(s storm.Storm) *reports.Report {
	result := check.Judge(s.Header(), s.Complete())
	return reports.Of(result.Ledger, result)
}

// pageOf is its page.
func pageOf(g *WithT, r *reports.Report) string {
	var out bytes.Buffer
	g.Expect(r.HTML(&out, []*reports.Report{r, r})).To(Succeed())
	return out.String()
}

func TestPageHasItsElementsAndKeepsHostileTextInert(t *testing.T) {
	g := NewWithT(t)
	r := judged(storm.Storm{Tasks: 5000, Kills: 50, Broken: true, Text: hostile})
	g.Expect(r.Verdict).To(Equal(check.Fail))
	page := pageOf(g, r)
	for _, want := range []string{
		`class="verdict">FAIL<`, "died though nobody caused it", "respawn run made-up", "slot.recovery.max &lt;= 250ms",
		"wait status", `id="fig-lanes"`, `id="fig-ready"`, `id="fig-recovery"`, `id="fig-spread"`,
		`id="fig-throughput"`, `id="fig-latency"`,
		`id="fig-memory"`, "Task ledger", "Genealogy", "Against the baseline", "Coverage", "Environment",
		`id="failure"`, "Content-Security-Policy",
		"promises that every scenario makes", "stderr of pid",
	} {
		g.Expect(page).To(ContainSubstring(want))
	}
	g.Expect(page).NotTo(ContainSubstring("<script>alert"))
	g.Expect(page).NotTo(ContainSubstring("\x00"))
	g.Expect(page).NotTo(ContainSubstring("\x1b"))
	g.Expect(page).NotTo(MatchRegexp(`(?i)(src|href)="https?:`))
}

// The means of short stages are beside each other, and their names must not be upon each other.
func TestWordsOfAFigureDoNotOverlap(t *testing.T) {
	g := NewWithT(t)
	for _, length := range []time.Duration{50 * time.Millisecond, time.Second, time.Minute} {
		page := pageOf(g, judged(storm.Storm{Tasks: 5000, Kills: 50, Length: length}))
		words := regexp.MustCompile(`<text class="word" x="([0-9.]+)" y="([0-9.]+)"([^>]*)>([^<]*)<`).
			FindAllStringSubmatch(page, -1)
		g.Expect(len(words)).To(BeNumerically(">", 1), "%v", length)
		type box struct{ left, right, y float64 }
		var boxes []box
		for _, w := range words {
			x, width := number(g, w[1]), 6*float64(len(w[4]))
			if strings.Contains(w[3], "end") {
				x -= width
			}
			b := box{x, x + width, number(g, w[2])}
			g.Expect(b.left).To(BeNumerically(">=", 60), "%v: %q is upon the axis", length, w[4])
			for i, o := range boxes {
				apart := math.Abs(b.y-o.y) >= 12 || b.right <= o.left || o.right <= b.left
				g.Expect(apart).To(BeTrue(), "%v: %q and %q", length, w[4], words[i][4])
			}
			boxes = append(boxes, b)
		}
	}
}

func number(g *WithT, s string) float64 {
	v, err := strconv.ParseFloat(strings.ReplaceAll(s, ",", ""), 64)
	g.Expect(err).NotTo(HaveOccurred())
	return v
}

func TestThresholdsLeadWithWhatIsBroken(t *testing.T) {
	g := NewWithT(t)
	page := pageOf(g, judged(storm.Storm{Tasks: 500, Kills: 5, Broken: true}))
	g.Expect(page).To(MatchRegexp(`(?s)<section id="thresholds".*?<tbody>\s*<tr class="broken">`))
	g.Expect(pageOf(g, judged(storm.Storm{Tasks: 500, Kills: 5}))).NotTo(ContainSubstring(`<tr class="broken">`))
}

func TestSameHistoryGivesTheSamePage(t *testing.T) {
	g := NewWithT(t)
	s := storm.Storm{Tasks: 2000, Kills: 20, Broken: true}
	once, again := pageOf(g, judged(s)), pageOf(g, judged(s))
	g.Expect(once == again).To(BeTrue(), "not Equal: the difference would be megabytes")
}

func TestSizesAreBoundedWhateverTheHistory(t *testing.T) {
	takes.Seconds(t)
	long := string(bytes.Repeat([]byte("W"), 100_000))
	for name, s := range map[string]storm.Storm{
		"a million events":   {Tasks: 333_000, Kills: 200},
		"many kills":         {Tasks: 20_000, Kills: 20_000},
		"many slots":         {Tasks: 20_000, Kills: 2_000, Slots: 1000},
		"long words":         {Tasks: 2_000, Kills: 200, Broken: true, Text: long},
		"hours":              {Tasks: 20_000, Kills: 1_000, Length: 10 * time.Hour},
		"everything retried": {Tasks: 30_000, Kills: 30_000, Slots: 64},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			began := time.Now()
			r := judged(s)
			page := pageOf(g, r)
			t.Logf("%.2f MB in %.1f s", float64(len(page))/1e6, time.Since(began).Seconds())
			g.Expect(len(page)).To(BeNumerically("<", 5_000_000))
			g.Expect(time.Since(began)).To(BeNumerically("<", time.Minute),
				"six seconds are the goal: see respawn bench --only report")
			if len(r.Faults) > 500 {
				g.Expect(page).To(ContainSubstring("Truncated: "))
			}
		})
	}
}

package reports_test

import (
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/export"
	"github.com/respawn-go/respawn/reports/storm"
)

// What a page draws and lists is what the judge counted: of runs that were recorded, with slots that a resize gave up
// among them, of one that passes and of one that does not.
func TestNoFigureOfAPageDiffersFromTheJudges(t *testing.T) {
	runs := map[string]*reports.Report{
		"storm":  judged(storm.Storm{Tasks: 4_000, Kills: 60, Slots: 8}),
		"broken": judged(storm.Storm{Tasks: 4_000, Kills: 60, Slots: 8, Broken: true}),
	}
	for _, name := range recordedNames(t) {
		r, err := reports.Judge(unpack(t, name))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		runs[name] = r
	}
	for name, r := range runs {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			page := pageOf(g, r)
			count := func(metric string) int { return int(r.Metrics[metric]) }

			recovery := figureOf(page, "recovery")
			back := regexp.MustCompile(`<title>#[0-9]+ slot [0-9]+: ([^<]*)</title>`).FindAllStringSubmatch(recovery,
				-1)
			never, longest := 0, ""
			for _, x := range back {
				if x[1] == "never" {
					never++
				} else if longest == "" || long(g, x[1]) > long(g, longest) {
					longest = x[1]
				}
			}
			g.Expect(never).To(Equal(count("slots.lost")), "slots that never came back")
			if r.Ledger.Complete() {
				g.Expect(back).To(HaveLen(count("slot.recovery.count")))
				if m := r.Metrics["slot.recovery.max"]; longest != "" && !math.IsInf(m, 1) {
					g.Expect(longest).To(Equal(reports.Value("slot.recovery.max", m)))
				}
			}

			spans, worst := 0, 0.0
			for _, s := range export.Of(r.Ledger, 0).Spans {
				if s.Kind != export.OfRecovery {
					continue
				}
				spans++
				took := (s.End - s.Start).Seconds()
				if s.Open && r.Ledger.Complete() {
					took = math.Inf(1)
				}
				worst = max(worst, took)
			}
			g.Expect(spans).To(Equal(count("slot.recovery.count")), "spans of recoveries")
			if spans > 0 {
				g.Expect(worst).To(BeNumerically("==", r.Metrics["slot.recovery.max"]), "the longest of them")
			}

			if least, ok := r.Metrics["pool.ready.min"]; ok {
				fewest := math.Inf(1)
				from, to := stageOf(r, history.Chaos), stageOf(r, history.Verify)
				for _, row := range rowsOf(figureOf(page, "ready")) {
					if at := long(g, row[0]); at >= from && at < to {
						fewest = min(fewest, number(g, row[2]))
					}
				}
				g.Expect(fewest).To(Equal(least), "the fewest that were ready")
			}

			g.Expect(strings.Count(page, "nobody knows why</td>")).To(BeNumerically(">=", count("exits.unexplained")))
			confirmed := strings.Count(page, `<td>confirmed</td>`)
			g.Expect(confirmed).To(Equal(count("faults.confirmed")))
			exits := 0
			for _, x := range r.Exits {
				if x.Fault > 0 {
					exits++
				}
			}
			if name != "interrupted" && name != "abort" && name != "timeout" {
				// after which the target's exits are nobody's fault
				g.Expect(exits).To(Equal(count("exits.total")-count("exits.unexplained")-count("exits.collateral")),
					"exits by a fault")
			}

			bad, again := 0, 0
			for _, x := range regexp.MustCompile(`<tr id="task-[0-9]+"( class="broken")?>`).FindAllStringSubmatch(page,
				-1) {
				if x[1] != "" {
					bad++
				} else {
					again++
				}
			}
			if unhappy := count("tasks.submitted") - count("tasks.ok"); unhappy <= 200 {
				g.Expect(bad).To(Equal(unhappy), "tasks that did not end well")
			}
			g.Expect(again).To(BeNumerically("<=", count("tasks.retried")))
			g.Expect(bad+again).To(BeNumerically(">=", min(200, count("tasks.retried"))), "tasks that were run again")

			ok, width := 0.0, 0.0
			rows := rowsOf(figureOf(page, "throughput"))
			for i, row := range rows {
				if i == 1 {
					width = long(g, row[0])
				}
				ok += number(g, row[1])
			}
			if len(rows) > 1 {
				g.Expect(ok * width).To(BeNumerically("~", r.Metrics["tasks.ok"], 0.01*r.Metrics["tasks.ok"]+1))
			}
		})
	}
}

// rowsOf are the cells of a figure's table.
func rowsOf(figure string) (rows [][]string) {
	for _, tr := range regexp.MustCompile(`<tr>(<td>.*?)</tr>`).FindAllStringSubmatch(figure, -1) {
		var row []string
		for _, td := range regexp.MustCompile(`<td>(.*?)</td>`).FindAllStringSubmatch(tr[1], -1) {
			row = append(row, td[1])
		}
		rows = append(rows, row)
	}
	return rows
}

// stageOf is when a stage began, in seconds; past the end where it never did.
func stageOf(r *reports.Report, name history.StageName) float64 {
	for _, s := range r.Ledger.Log.Stages {
		if s.Name == name {
			return s.At.Seconds()
		}
	}
	return math.Inf(1)
}

// long is a time as the page writes it, in seconds.
func long(g *WithT, text string) float64 {
	d, err := time.ParseDuration(strings.ReplaceAll(text, ",", ""))
	g.Expect(err).NotTo(HaveOccurred())
	return d.Seconds()
}

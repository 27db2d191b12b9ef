package reports

import (
	"math"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
)

// hostile is a matrix whose pools have names and errors that try to get out of the page and the table.
func hostile() *Matrix {
	run := func(seed uint64, ok, answering, recovery float64) MatrixRun {
		r := &Report{Facts: Facts{Seed: seed}, Result: check.Result{
			Verdict: check.Fail, Cause: "<script>alert(1)</script>\n::error::it | broke\x1b[31m",
			Metrics: map[string]float64{
				"pool.want": 4, "pool.ready": 4, "faults.fatal": 1, "pids.turnover": 1, "slots.answering": answering,
				"tasks.submitted": 16, "tasks.ok": ok, "tasks.hung": 16 - ok, "slot.recovery.max": recovery,
			},
		}}
		return NewMatrixRun(r, "evil/tutorial")
	}
	return &Matrix{
		Started: time.Unix(0, 0), Command: "respawn matrix", Environment: map[string]string{"kernel": "6.1"},
		Scenarios: []string{"tutorial"}, Titles: []string{"tutorial"},
		Targets: []MatrixTarget{
			{
				Name: "evil", Pool: "<b>evil</b>\n::error::x", Version: "1|2",
				Cells: []MatrixCell{{Scenario: "tutorial", Runs: []MatrixRun{
					run(1, 16, 4, 0.25), run(2, 15, 0, math.Inf(1)), run(3, 16, 4, 0.5),
				}}, {Scenario: "impossible", Refused: "it cannot <b>\n::error::"}},
			},
			{Name: "absent", Pool: "absent", Missing: "absent is not installed: apt-get install absent"},
		},
	}
}

func TestAMatrixShowsTheSpread(t *testing.T) {
	g := NewWithT(t)
	c := &hostile().Targets[0].Cells[0]
	g.Expect(c.Tasks()).To(Equal("16 (15…16) / 0 / 0 (0…1) / 0 / 0"))
	g.Expect(c.Answers()).To(Equal("4 (0…4) of 4"))
	g.Expect(c.Recovery()).To(Equal("500ms (250ms…never)"))
	g.Expect(c.Usable()).To(Equal("2 of 3"))
	g.Expect(c.Pids()).To(Equal("1 of 1"))
}

func TestAMatrixIsSafeAgainstHostileNames(t *testing.T) {
	g := NewWithT(t)
	var html, text, markdown, data strings.Builder
	m := hostile()
	g.Expect(m.HTML(&html)).To(Succeed())
	g.Expect(html.String()).NotTo(ContainSubstring("<script"))
	g.Expect(html.String()).NotTo(ContainSubstring("<b>evil"))
	g.Expect(html.String()).
		To(And(ContainSubstring("seeds 1 to 3, 3 runs a cell"), ContainSubstring("not run: it cannot &lt;b&gt;"),
			ContainSubstring(`href="./evil/tutorial/report.html"`), ContainSubstring("apt-get install absent")))

	g.Expect(m.Text(&text, 1000)).To(Succeed())
	g.Expect(m.Markdown(&markdown)).To(Succeed())
	for _, out := range []string{text.String(), markdown.String()} {
		for line := range strings.Lines(out) {
			g.Expect(line).NotTo(HavePrefix("::"))
			g.Expect(line).NotTo(ContainSubstring("\x1b"))
		}
		g.Expect(out).To(And(ContainSubstring("kernel 6.1"), ContainSubstring("seeds 1 to 3, 3 runs a cell"),
			ContainSubstring("apt-get install absent")))
	}
	for line := range strings.Lines(markdown.String()) {
		if strings.HasPrefix(line, "|") {
			g.Expect(strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")).To(Equal(10), line)
		}
	}
	g.Expect(m.JSON(&data)).To(Succeed())
	g.Expect(data.String()).To(ContainSubstring(`"slot.recovery.max": "+Inf"`))
}

func TestAMatrixFitsATerminal(t *testing.T) {
	g := NewWithT(t)
	var narrow strings.Builder
	g.Expect(hostile().Text(&narrow, 80)).To(Succeed())
	for line := range strings.Lines(narrow.String()) {
		g.Expect(len([]rune(strings.TrimSuffix(line, "\n")))).To(BeNumerically("<=", 80), line)
	}
	g.Expect(strings.Join(strings.Fields(narrow.String()), " ")).
		To(ContainSubstring("ok / failed / hung / lost / dup: 16 (15…16) / 0 / 0 (0…1) / 0 / 0; "))
}

// Where cells are told in a few words, those are the table, with how many runs of how many showed it.
func TestAMatrixOfWordsHasARowForEachTarget(t *testing.T) {
	g := NewWithT(t)
	m := hostile()
	m.Titles = []string{"gives up?"}
	c := &m.Targets[0].Cells[0]
	c.Told = c.Each(func(r *MatrixRun) string {
		if math.IsInf(r.Metric("slot.recovery.max"), 1) {
			return "<b>never</b>"
		}
		return ""
	}, "slot.recovery.max")
	g.Expect(c.Told).To(Equal("500ms (250ms…500ms) (2 of 3), <b>never</b> (1 of 3)"))
	var html, markdown strings.Builder
	g.Expect(m.HTML(&html)).To(Succeed())
	g.Expect(html.String()).To(And(ContainSubstring("&lt;b&gt;never"), Not(ContainSubstring("<b>never"))))
	g.Expect(m.Markdown(&markdown)).To(Succeed())
	g.Expect(strings.Split(markdown.String(), "\n")[0]).To(Equal(`| target | gives up? |`))
}

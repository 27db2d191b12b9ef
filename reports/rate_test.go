package reports

import (
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// The figures are those of the worked examples in Newcombe, "Two-Sided Confidence Intervals for the Single Proportion",
// Statistics in Medicine 17, 1998, table I, method 3.
func TestTheIntervalIsWilsons(t *testing.T) {
	for _, c := range []struct {
		failed, runs int
		low, high    float64
	}{
		{81, 263, 0.2553, 0.3662},
		{15, 148, 0.0624, 0.1605},
		{0, 20, 0, 0.1611},
		{1, 29, 0.0061, 0.1718},
	} {
		g := NewWithT(t)
		low, high := Rate{Failed: c.failed, Runs: c.runs}.Interval()
		g.Expect(low).To(BeNumerically("~", c.low, 0.0001))
		g.Expect(high).To(BeNumerically("~", c.high, 0.0001))
	}
}

// The interval has the true rate about as often as it says.
func TestTheIntervalHasTheTrueRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, rate := range []float64{0.02, 0.2, 0.5, 0.9} {
		has, trials := 0, 2000
		for range trials {
			r := Rate{Runs: 30}
			for range r.Runs {
				if rng.Float64() < rate {
					r.Failed++
				}
			}
			if low, high := r.Interval(); low <= rate && rate <= high {
				has++
			}
		}
		NewWithT(t).Expect(float64(has)/float64(trials)).To(BeNumerically(">=", 0.9), "rate %v", rate)
	}
}

func TestARateSaysWhatCounts(t *testing.T) {
	g := NewWithT(t)
	g.Expect(RateOf(0, Pass, Fail, Inconclusive, Pass, Error, Pass).String()).To(Equal("fails 1 of 4 (95 %: 5–70 %)"))
	g.Expect(RateOf(0.999, Pass).String()).To(Equal("fails 0 of 1 (99.9 %: 0–92 %)"))
	g.Expect(RateOf(0).String()).To(Equal("fails 0 of 0 (95 %: 0–100 %)"))
}

func TestACellOfTheMatrixSaysItsRate(t *testing.T) {
	g := NewWithT(t)
	m := Matrix{Targets: []MatrixTarget{{Pool: "some pool", Cells: []MatrixCell{
		{Scenario: "often", Runs: []MatrixRun{{Verdict: Pass}, {Verdict: Fail}, {Verdict: Pass}, {Verdict: Pass}}},
		{Scenario: "once", Runs: []MatrixRun{{Verdict: Pass}}},
	}}}}
	var text, page strings.Builder
	g.Expect(m.Markdown(&text)).To(Succeed())
	g.Expect(text.String()).
		To(And(ContainSubstring("| FAIL, fails 1 of 4 (95 %: 5–70 %) |"), ContainSubstring("| PASS |")))
	g.Expect(m.HTML(&page)).To(Succeed())
	g.Expect(strings.Count(page.String(), "fails 1 of 4 (95 %: 5–70 %)")).To(Equal(2))
}

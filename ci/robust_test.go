package ci

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
)

// The critical value is that of the simulated statistic, or a little above it, at the sizes and probabilities in use.
func TestTheCriticalValueIsThatOfTheSimulatedStatistic(t *testing.T) {
	g := NewWithT(t)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ n, m, trials int }{{6, 6, 50000}, {6, 12, 20000}, {12, 12, 10000}} {
		var all []float64
		a, b := make([]float64, c.n), make([]float64, c.m)
		for range c.trials {
			for _, side := range [][]float64{a, b} {
				for i := range side {
					side[i] = rng.NormFloat64()
				}
			}
			all = append(all, math.Abs(shift(a, b))/(scatter(a, b)*math.Sqrt(1/float64(c.n)+1/float64(c.m))))
		}
		slices.Sort(all)
		for _, p := range []float64{0.0025, 0.005, 0.01} {
			simulated := all[int(float64(len(all))*(1-2*p))]
			g.Expect(critical(c.n, c.m, p)).To(BeNumerically("~", simulated*1.02, 0.06*simulated), "%d and %d, p %v",
				c.n, c.m, p)
		}
	}
}

func TestARobustEstimateStandsAnOutlierInFour(t *testing.T) {
	g := NewWithT(t)
	a, b := []float64{1, 1.1, 0.9, 1, 1.05, 1000}, []float64{2, 2.1, 1.9, 2, -1000, 2.05}
	g.Expect(shift(a, b)).To(BeNumerically("~", 1, 0.1))
	g.Expect(scatter(a, b)).To(BeNumerically("<", 0.3))
	g.Expect(math.IsNaN(median(nil))).To(BeTrue())
	g.Expect(atLeast(2, 6, 0.01)).To(BeNumerically("~", 0.00146, 1e-5))
	g.Expect(atLeast(0, 6, 0.01)).To(Equal(1.0))
	g.Expect(atLeast(7, 6, 0.5)).To(BeNumerically("~", 0, 1e-9))
}

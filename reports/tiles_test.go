package reports_test

import (
	"math"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

func TestTilesOfAPoolThatStaysDownAndOfARunThatEndsEarly(t *testing.T) {
	g := NewWithT(t)
	tiles := func(m map[string]float64) string {
		return pageOf(g, build(history.Header{Scenario: "a"}, events(), check.Result{Verdict: check.Fail, Metrics: m}))
	}
	page := tiles(map[string]float64{"pool.below.total": math.Inf(1), "faults.planned": 40, "faults.confirmed": 9})
	g.Expect(page).To(ContainSubstring(`<li class="bad"><b>to the end</b> <span>under the wanted size</span>`))
	g.Expect(page).To(ContainSubstring(`<b>9</b> <span>faults confirmed</span> <small>of 40 planned</small>`))

	page = tiles(map[string]float64{"pool.below.total": 0.25, "faults.planned": 4, "faults.confirmed": 4})
	g.Expect(page).To(ContainSubstring(
		`<li><b>250ms</b> <span>under the wanted size</span> <small>in all, with faults going on</small>`))
	g.Expect(page).To(ContainSubstring(`<small>of 4 planned</small>`))
}

package reports_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/ledger"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// Each of a thousand slots has its cell, those that something befell say what, and the longer a recovery the larger its
// square.
func TestTheHeatMapHasEverySlotAndIsSmall(t *testing.T) {
	g := NewWithT(t)
	r := judged(storm.Storm{Tasks: 20_000, Kills: 300, Slots: 1000, Broken: true})
	figure := figureOf(pageOf(g, r), "heat")
	g.Expect(len(figure)).To(BeNumerically("<", 120<<10))
	cool := regexp.MustCompile(`<path class="cool"[^>]* d="([^"]*)"/>`).FindStringSubmatch(figure)
	g.Expect(strings.Count(cool[1], "M")).To(Equal(1000))
	longest, bad := map[int]float64{}, map[int]bool{}
	for _, d := range r.Ledger.Slots.Deaths {
		if d.Fate == ledger.Recovered {
			longest[d.Slot] = max(longest[d.Slot], d.Took().Seconds())
		} else {
			bad[d.Slot] = true
		}
	}
	for _, x := range r.Exits {
		if x.Code == 3 { // the storm's own crash
			bad[x.Slot] = true
		}
	}
	type drawn struct{ took, side float64 }
	var all []drawn
	for _, m := range regexp.MustCompile(`<path class="heat[1-4]"[^>]*d="M[0-9.]+ [0-9.]+h([0-9.]+)[^>]*><title>slot ([0-9]+): [0-9]+ faults?, longest recovery ([^<]*)</title>`).FindAllStringSubmatch(figure, -1) {
		slot := int(number(g, m[2]))
		g.Expect(m[3]).To(Equal(reports.Value("slot.recovery.max", longest[slot])), "slot %d", slot)
		all = append(all, drawn{longest[slot], number(g, m[1])})
		delete(longest, slot)
	}
	g.Expect(len(all)).To(BeNumerically(">", 150))
	sides := map[float64]bool{}
	for _, a := range all {
		sides[a.side] = true
		for _, b := range all {
			g.Expect(a.took < b.took && a.side > b.side).To(BeFalse(), "%v %v", a, b)
		}
	}
	g.Expect(len(sides)).To(BeNumerically(">=", 3), "sizes, beside the shades")
	g.Expect(bad).NotTo(BeEmpty())
	for slot := range longest { // that have no square
		g.Expect(bad).To(HaveKey(slot))
	}
	for slot := range bad {
		g.Expect(figure).To(MatchRegexp(`<path class="bad"[^>]*><title>slot ` + fmt.Sprint(slot) + `: `))
	}
	g.Expect(rowsOf(figure)[0][4]).NotTo(BeEmpty(), "the worst is the table's first")
}

// The lanes show a few slots, so that there is no second drawing of them.
func TestAFewSlotsHaveNoHeatMap(t *testing.T) {
	g := NewWithT(t)
	g.Expect(figureOf(pageOf(g, judged(storm.Storm{Tasks: 2000, Kills: 20, Slots: 40})), "heat")).To(BeEmpty())
	g.Expect(figureOf(pageOf(g, judged(storm.Storm{Tasks: 2000, Kills: 20, Slots: 41})), "heat")).NotTo(BeEmpty())
}

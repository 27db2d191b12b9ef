package browsertest

import (
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports/storm"
)

// One time is under the mouse in all figures, dragging over one shows that part in all of them and in the address, and
// Esc the whole.
func TestOneTimeIsPointedAtAndZoomedInAllFigures(t *testing.T) {
	b := open(t, reportOf(t, storm.Storm{Tasks: 2000, Kills: 40, Broken: true}), chromedp.EmulateViewport(1280, 900))
	crossed := `[...document.querySelectorAll("#figures .cross")].filter(c => c.getAttribute("d")).length`
	figures := ask[int](b, `document.querySelectorAll("#figures svg[data-time]").length`)
	b.Expect(figures).To(BeNumerically(">=", 6))
	mouse := `(kind, x) => { const s = document.querySelector("#fig-ready svg[data-time]"), r = s.getBoundingClientRect();
		s.dispatchEvent(new PointerEvent(kind, {clientX: r.left + x * r.width, clientY: r.top + 20, bubbles: true, button: 0})) }`
	ask[any](b, `(`+mouse+`)("pointermove", 0.5), 0`)
	b.Expect(ask[int](b, crossed)).To(Equal(figures))

	ask[any](b, `((m) => { m("pointerdown", 0.4); m("pointerup", 0.6) })(`+mouse+`), 0`)
	b.Expect(ask[string](b, `location.hash`)).To(MatchRegexp(`^#time=[0-9.]+-[0-9.]+$`))
	narrow := `new Set([...document.querySelectorAll("#figures svg.inner")].map(s => { const v = s.viewBox.baseVal, w = s.width.baseVal.value; return (v.width / w).toFixed(2) }))`
	b.Expect(ask[[]string](b, `[...`+narrow+`]`)).To(HaveLen(1), "the same part in all")
	b.Expect(ask[int](b, `document.querySelectorAll("#figures svg.inner").length`)).To(Equal(figures))
	ask[any](b, `document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true})), 0`)
	b.Expect(ask[[]string](b, `[...`+narrow+`]`)).To(Equal([]string{"1.00"}))
}

// A ledger shows the rows that have all the words of its filter, and a link to another row brings them all back.
func TestLedgersCanBeFiltered(t *testing.T) {
	b := open(t, reportOf(t, storm.Storm{Tasks: 2000, Kills: 40, Broken: true}))
	shown := `[...document.querySelectorAll("#faults tbody tr")].filter(r => !r.hidden).length`
	all := ask[int](b, shown)
	b.Expect(all).To(Equal(40))
	filter := func(words string) {
		ask[any](b, `((f) => { f.value = "`+words+`"; f.dispatchEvent(new Event("input")) })(document.querySelector("[aria-label='Filter Fault ledger']")), 0`)
	}
	filter("slot 1,")
	few := ask[int](b, shown)
	b.Expect(few).To(And(BeNumerically(">", 0), BeNumerically("<", all)))
	b.Expect(ask[string](b, `document.querySelector("#faults output").textContent`)).To(ContainSubstring("of 40"))
	filter("no such words")
	b.Expect(ask[int](b, shown)).To(BeZero())
	ask[any](b, `location.hash = "#fault-3", 0`)
	b.Eventually(func() int { return ask[int](b, shown) }).Should(Equal(all))
}

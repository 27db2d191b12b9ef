package browsertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports/storm"
)

// shapes are the pages that must be right in every respect.
var shapes = map[string]func(*testing.T) string{
	"pass":    func(t *testing.T) string { return reportOf(t, passing) },
	"fail":    func(t *testing.T) string { return reportOf(t, failing) },
	"hostile": func(t *testing.T) string { return reportOf(t, attacked) },
	"empty":   func(t *testing.T) string { return reportOf(t, storm.Storm{}) },
	"index":   func(t *testing.T) string { return indexOf(t, passing, failing, attacked) },
}

// each runs a test on pages of some shapes; without names, on all.
func each(t *testing.T, test func(*testing.T, string), names ...string) {
	t.Helper()
	for name, page := range shapes {
		if len(names) == 0 || slices.Contains(names, name) {
			t.Run(name, func(t *testing.T) { test(t, page(t)) })
		}
	}
}

func TestNothingReachesTheConsoleOrLeavesTheFile(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		b := open(t, path)
		b.Expect(ask[string](b, `document.readyState`)).To(Equal("complete"))
		b.Expect(ask[int](b, `performance.getEntriesByType("resource").length`)).To(BeZero())
		b.Expect(ask[string](b, `getComputedStyle(document.querySelector("header")).borderLeftWidth`)).To(Equal("10px"),
			"the style is allowed by the policy")
		b.quiet()
	})
}

func TestHostileTextStaysText(t *testing.T) {
	for name, path := range map[string]string{"report": reportOf(t, attacked), "index": indexOf(t, attacked)} {
		t.Run(name, func(t *testing.T) {
			b := open(t, path)
			b.Expect(ask[string](b, `typeof window.pwned`)).To(Equal("undefined"))
			b.Expect(ask[int](b, `document.querySelectorAll("script").length`)).
				To(Equal(map[string]int{"report": 2, "index": 1}[name]))
			b.Expect(ask[int](b, `document.querySelectorAll("img, iframe, object, embed, link, [onload], [onerror], a[href^=javascript]").length`)).To(BeZero())
			b.Expect(ask[bool](b, `/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test([...document.querySelectorAll("script")].reduce((_, s) => s.remove(), 0) || document.documentElement.textContent)`)).To(BeFalse())
			b.Expect(ask[bool](b, `document.body.textContent.includes("<script>window.pwned=1")`)).To(BeTrue(),
				"it is there to be read")
			b.Expect(ask[string](b, `getComputedStyle(document.body).display`)).To(Equal("block"))
			b.quiet()
		})
	}
}

func TestEveryFigureIsDrawnAndToldAsText(t *testing.T) {
	b := open(t, reportOf(t, failing))
	b.Expect(ask[[]string](b, `[...document.querySelectorAll("figure")].map(f => f.id)`)).To(ContainElements(
		"fig-lanes", "fig-ready", "fig-recovery", "fig-spread", "fig-throughput", "fig-latency", "fig-memory",
		"fig-parent", "fig-fds", "fig-cpu",
	))
	b.Expect(ask[[]string](b, `[...document.querySelectorAll("figure")].flatMap(f => {
		const svg = f.querySelector(".plot svg"), box = svg?.getBoundingClientRect(), wrong = [];
		if (!svg) return [f.id + " has no drawing"];
		if (!(box.width > 200 && box.height > 40)) wrong.push(f.id + " is " + box.width + " by " + box.height);
		for (const part of ["title", "desc"]) {
			const e = svg.querySelector(":scope > " + part);
			if (!e?.textContent || !svg.getAttribute("aria-labelledby").split(" ").includes(e.id)) wrong.push(f.id + " has no " + part);
		}
		if (!svg.querySelector("path:not(.grid), rect, circle")) wrong.push(f.id + " shows nothing");
		if (!f.querySelector("details table thead th[scope=col]")) wrong.push(f.id + " has no header over its data");
		if (!f.querySelectorAll("details table tbody tr").length) wrong.push(f.id + " has no data");
		return wrong;
	})`)).To(BeEmpty())
	b.Expect(ask[int](b, `document.querySelectorAll("#fig-lanes rect.bar").length`)).To(BeNumerically(">=", 60),
		"a bar for each process")
	b.Expect(ask[int](b, `document.querySelectorAll("#fig-recovery circle").length`)).To(BeNumerically(">=", 60),
		"a point for each death")
}

// failureShown tells whether the first failure has the focus and nothing covers it.
const failureShown = `(() => {
	const f = document.getElementById("failure"), box = f.getBoundingClientRect();
	const top = document.elementFromPoint(box.left + 4, box.top + 4);
	return (document.activeElement === f || location.hash === "#failure") && f.contains(top);
})()`

func TestJumpToTheFirstFailure(t *testing.T) {
	b := open(t, reportOf(t, failing), chromedp.EmulateViewport(1280, 500))
	b.Expect(ask[bool](b, failureShown)).To(BeFalse())
	b.click("#jump")
	b.Eventually(func() bool { return ask[bool](b, failureShown) }, patience).Should(BeTrue(), "clicked")
	b.Expect(ask[string](b, `document.getElementById("failure").innerText`)).To(ContainSubstring("FAIL"))
	ask[any](b, `document.activeElement.blur(), scrollTo({top: document.body.scrollHeight, behavior: "instant"}), 0`)
	b.Expect(ask[bool](b, failureShown)).To(BeFalse())
	b.do(chromedp.KeyEvent("j"))
	b.Eventually(func() bool { return ask[bool](b, failureShown) }, patience).Should(BeTrue(), "key j")
	b.do(chromedp.KeyEvent("t"))
	b.Eventually(func() float64 { return ask[float64](b, `scrollY`) }, patience).Should(BeZero(), "key t")
	b.quiet()
}

func TestPageIsWholeWithoutJavaScript(t *testing.T) {
	b := open(t, reportOf(t, failing), chromedp.EmulateViewport(1280, 500), withoutScripts())
	b.Expect(ask[bool](b, `document.getElementById("copy").hidden`)).To(BeTrue(),
		"a button that does nothing is not shown")
	b.click("#fig-ready summary")
	b.Eventually(func() bool { return ask[bool](b, `document.querySelector("#fig-ready details").open`) }, patience).
		Should(BeTrue())
	b.click("#jump")
	b.Eventually(func() bool { return ask[bool](b, failureShown) }, patience).Should(BeTrue())
	b.Expect(ask[[]string](b, `[...document.querySelectorAll("nav a")].map(a => a.getAttribute("href")).filter(h => !document.querySelector(h))`)).To(BeEmpty())
	b.quiet()
}

func TestAnchorsAreNotHiddenByTheNavigation(t *testing.T) {
	for _, width := range []int64{1280, 390} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			b := open(t, reportOf(t, failing), chromedp.EmulateViewport(width, 700))
			b.Expect(ask[[]string](b, `[...document.querySelectorAll("nav a")].flatMap(a => {
				const section = document.querySelector(a.getAttribute("href"));
				section.scrollIntoView({behavior: "instant"});
				const nav = document.querySelector("nav"), head = section.querySelector("h2").getBoundingClientRect();
				const below = getComputedStyle(nav).position === "sticky" ? nav.getBoundingClientRect().bottom : 0;
				return head.top < below - 1 ? [section.id + " starts at " + head.top + ", the navigation ends at " + below] : [];
			})`)).To(BeEmpty())
		})
	}
}

package browsertest

import (
	_ "embed"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
)

//go:embed contrast.js
var contrast string

func TestLandmarksHeadingsAndNames(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		b := open(t, path)
		b.Expect(ask[[]string](b, `(() => {
			const wrong = [], all = s => [...document.querySelectorAll(s)];
			const name = e => e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") || "").split(" ").map(id => document.getElementById(id)?.textContent || "").join("");
			for (const [what, n] of [["main", 1], ["body > header", 1], ["body > footer", 1], ["h1", 1], ["head > title", 1], ["html[lang]", 1]])
				if (all(what).length !== n) wrong.push(all(what).length + " of " + what);
			for (const e of all("nav, section, [role=region]")) if (!name(e).trim()) wrong.push("no name: " + e.outerHTML.slice(0, 80));
			const regions = all("[role=region]").map(name), twice = regions.filter((n, i) => regions.indexOf(n) !== i);
			if (twice.length) wrong.push("regions of one name: " + twice);
			let level = 0;
			for (const h of all("h1, h2, h3, h4, h5, h6")) {
				const n = +h.tagName[1];
				if (n > level + 1) wrong.push("from h" + level + " to " + h.outerHTML.slice(0, 80));
				level = n;
			}
			const ids = all("[id]").map(e => e.id);
			for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) wrong.push("twice: #" + id);
			for (const e of all("[aria-labelledby]")) for (const id of e.getAttribute("aria-labelledby").split(" ")) if (!ids.includes(id)) wrong.push("no #" + id);
			for (const e of all("table")) if (!e.querySelector("th[scope]")) wrong.push("a table without headers: " + e.outerHTML.slice(0, 80));
			for (const e of all("a, button, summary")) if (!e.textContent.trim()) wrong.push("nothing to say: " + e.outerHTML.slice(0, 80));
			for (const e of all(".scroll")) if (e.tabIndex !== 0) wrong.push("the keyboard cannot scroll " + e.outerHTML.slice(0, 80));
			for (const e of all("dl > *")) if (!["DT", "DD"].includes(e.tagName)) wrong.push(e.tagName + " in a dl");
			return wrong;
		})()`)).To(BeEmpty())
	})
}

func TestContrastInLightAndDark(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			each(t, func(t *testing.T, path string) {
				b := open(t, path, media("", scheme))
				ask[any](b, `document.querySelectorAll("details").forEach(d => d.open = true), 0`)
				b.Expect(ask[[]string](b, contrast)).To(BeEmpty())
			}, "fail", "index")
		})
	}
}

func TestNothingOverflowsAPhoneOrADesk(t *testing.T) {
	for _, width := range []int64{390, 1280} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			each(t, func(t *testing.T, path string) {
				b := open(t, path, chromedp.EmulateViewport(width, 800))
				ask[any](b, `document.querySelectorAll("details").forEach(d => d.open = true), 0`)
				b.Expect(ask[int64](b, `document.documentElement.scrollWidth`)).To(Equal(width))
				b.Expect(ask[[]string](b,
					`[...document.querySelectorAll("body *")].filter(e => !e.closest("svg, nav, .scroll, .skip, pre")
					&& e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))`)).
					To(BeEmpty())
			}, "fail", "hostile", "index")
		})
	}
}

func TestPaperIsWhiteAndShowsEverything(t *testing.T) {
	b := open(t, reportOf(t, failing), chromedp.EmulateViewport(794, 1123), media("print", "dark"))
	b.Expect(ask[[]string](b, contrast)).To(BeEmpty())
	b.Expect(ask[string](b, `getComputedStyle(document.body).backgroundColor`)).To(Equal("rgb(255, 255, 255)"))
	b.Expect(ask[int](b,
		`[...document.querySelectorAll("nav, button, .jump")].filter(e => e.checkVisibility()).length`)).To(BeZero())
	b.Expect(ask[[]string](b, `[...document.querySelectorAll(".scroll")].filter(e => e.checkVisibility()
		&& (e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1)).map(e => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"))`)).To(BeEmpty(), "cut off on paper")
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	b.Expect(err).NotTo(HaveOccurred())
	b.Expect(string(pdf[:5])).To(Equal("%PDF-"))
}

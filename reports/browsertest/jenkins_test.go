package browsertest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
)

// jenkins is the policy that Jenkins serves what builds leave with: no style of the page is applied, and no script
// runs.
const jenkins = "sandbox; default-src 'none'; img-src 'self'; style-src 'self';"

func TestFiguresCanBeReadUnderThePolicyOfJenkins(t *testing.T) {
	path := reportOf(t, failing)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", jenkins)
		http.ServeFile(w, r, path)
	}))
	t.Cleanup(server.Close)
	b := openAt(t, server.URL+"/report.html")
	b.Expect(ask[string](b, `getComputedStyle(document.querySelector("header")).borderLeftWidth`)).To(Equal("0px"),
		"the style is not applied")
	b.Expect(ask[[]string](b, `[...document.querySelectorAll("svg path, svg rect, svg circle")].filter(e => {
		const s = getComputedStyle(e), black = "rgb(0, 0, 0)";
		return s.fill === black || s.fill === "none" && (s.stroke === black || s.stroke === "none");
	}).map(e => e.outerHTML.slice(0, 100))`)).To(BeEmpty(), "a black block")
	b.Expect(ask[[]string](b, contrast)).To(BeEmpty())
	b.Expect(ask[[]string](b, `[...document.querySelectorAll("figure .plot svg")].filter(s => {
		const box = s.getBoundingClientRect();
		return !(box.width > 200 && box.width < 1000 && box.height > 40);
	}).map(s => s.parentElement.outerHTML.slice(0, 100))`)).To(BeEmpty(), "their size")
}

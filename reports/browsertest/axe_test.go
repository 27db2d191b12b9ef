package browsertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// axeSource is axe-core, where `.ci/run packages` puts it. Without it the test is skipped.
func axeSource(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("no directory for axe-core: ", err)
	}
	text, err := os.ReadFile(filepath.Join(cache, "respawn-axe", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("no axe-core here: .ci/run packages installs it by npm")
	}
	return string(text)
}

// verdictOf is the page of a storm that came to another verdict.
func verdictOf(t *testing.T, v reports.Verdict) string {
	t.Helper()
	r := judged(t, storm.Storm{Tasks: 500, Kills: 12, Broken: v == reports.Fail})
	if v != reports.Pass && v != reports.Fail {
		r.Fail(v, "It is another verdict.")
	}
	return pageOf(t, r)
}

// matrixPage is that of two targets, of which one has failed once and one is not there.
func matrixPage(t *testing.T) string {
	t.Helper()
	m := reports.Matrix{Command: "respawn matrix", Scenarios: []string{
		"made-up", "refused",
	}, Targets: []reports.MatrixTarget{
		{Name: "one", Pool: "one", Version: "1", Cells: []reports.MatrixCell{
			{Scenario: "made-up", Runs: []reports.MatrixRun{
				reports.NewMatrixRun(judged(t, passing), "one/1"), reports.NewMatrixRun(judged(t, failing), "one/2"),
			}},
			{Scenario: "refused", Refused: "it has no slots"},
		}},
		{Name: "two", Pool: "two", Missing: "two is not installed: apt-get install two"},
	}}
	return write(t, "matrix.html", m.HTML)
}

// runningPage is that of a run of which half is there.
func runningPage(t *testing.T) string {
	t.Helper()
	g, path := NewWithT(t), filepath.Join(t.TempDir(), "history.jsonl")
	g.Expect(failing.Write(path)).To(Succeed())
	text, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(path, text[:len(text)/2], 0o600)).To(Succeed())
	f, err := reports.Follow(path)
	g.Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	r, err := f.Report()
	g.Expect(err).NotTo(HaveOccurred())
	return pageOf(t, r)
}

// No rule of axe-core is broken by any page, in any colours, on a desk or a phone, with everything unfolded: with
// -every. Without it some pages are looked at, each in one look, one after the other.
func TestAxeFindsNothing(t *testing.T) {
	source := axeSource(t)
	pages := map[string]func(*testing.T) string{
		"index": shapes["index"], "empty": shapes["empty"], "hostile": shapes["hostile"],
	}
	pages["many slots"] = func(t *testing.T) string {
		return reportOf(t, storm.Storm{Tasks: 500, Kills: 100, Slots: 1000, Broken: true})
	}
	pages["matrix"], pages["running"] = matrixPage, runningPage
	for _, v := range []reports.Verdict{
		reports.Pass, reports.Fail, reports.Inconclusive, reports.Aborted, reports.Error,
	} {
		pages[string(v)] = func(t *testing.T) string { return verdictOf(t, v) }
	}
	type look struct {
		scheme string
		width  int64
	}
	looks := []look{{"light", 1280}, {"dark", 400}, {"light", 400}}
	if !takes.Every() {
		maps.DeleteFunc(pages, func(name string, _ func(*testing.T) string) bool {
			return !slices.Contains([]string{"index", "hostile", "matrix", string(reports.Fail)}, name)
		})
	}
	for i, name := range slices.Sorted(maps.Keys(pages)) {
		t.Run(name, func(t *testing.T) {
			path, through := pages[name](t), looks
			if n := i % len(looks); !takes.Every() {
				through = looks[n : n+1]
			}
			for _, look := range through {
				b := open(t, path, chromedp.EmulateViewport(look.width, 800), media("", look.scheme))
				ask[any](b, `document.querySelectorAll("details").forEach(d => d.open = true), 0`)
				ask[any](b, source+";0")
				var found []string
				b.Expect(json.Unmarshal(
					[]byte(askLater(b, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(
					r.violations.map(v => v.impact + " " + v.id + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 120)).join(" | "))))`)), &found)).To(Succeed())
				b.Expect(found).To(BeEmpty(), fmt.Sprintf("%s, %d wide", look.scheme, look.width))
			}
		})
	}
}

package browsertest

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// hostile is what a target might write: scripts in every way in, a NUL, a terminal's escape, marks that turn text
// around, a CI command, and a word that no line can hold.
var hostile = strings.Join([]string{
	`</script><script>window.pwned=1</script>`,
	`"><img src=x onerror="window.pwned=2">`, `'><svg onload=window.pwned=3>`,
	`<!--`, `]]>`, `</style><style>body{display:none}</style>`, `<a href="javascript:window.pwned=4">x</a>`,
	`{{.}}`, "\x00", "\x1b[31mred\x1b[0m",
	"\u202eturned\u202c\u2066", "\n::error::injected", strings.Repeat("W", 3000),
}, " ")

// judged makes the report of a storm.
func judged(t *testing.T, s storm.Storm) *reports.Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history.jsonl")
	NewWithT(t).Expect(s.Write(path)).To(Succeed())
	r, err := reports.Judge(path)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return r
}

var (
	passing  = storm.Storm{Tasks: 2_000, Kills: 60}
	failing  = storm.Storm{Tasks: 2_000, Kills: 60, Broken: true}
	attacked = storm.Storm{Tasks: 2_000, Kills: 20, Broken: true, Text: hostile}
)

// write makes a file in a directory of the test.
func write(t *testing.T, name string, content func(io.Writer) error) string {
	t.Helper()
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(content(f)).To(Succeed())
	g.Expect(f.Close()).To(Succeed())
	return path
}

// reportOf is the page of a storm.
func reportOf(t *testing.T, s storm.Storm) string {
	t.Helper()
	return pageOf(t, judged(t, s))
}

// pageOf is the page of a report, which is compared with two runs before it.
func pageOf(t *testing.T, r *reports.Report) string {
	t.Helper()
	return write(t, "report.html", func(w io.Writer) error { return r.HTML(w, []*reports.Report{r, r}) })
}

// indexOf is the page over some storms.
func indexOf(t *testing.T, storms ...storm.Storm) string {
	t.Helper()
	var entries []reports.IndexEntry
	for _, s := range storms {
		r := judged(t, s)
		slower := *r
		slower.Verdict, slower.Metrics = reports.Pass, maps.Clone(r.Metrics)
		slower.Metrics["slot.recovery.p50"] *= 2
		entries = append(entries,
			reports.IndexEntry{Report: r, Dir: s.Text + "made-up", Baseline: []*reports.Report{&slower}})
	}
	return write(t, "index.html", func(w io.Writer) error { return reports.Index(w, entries) })
}

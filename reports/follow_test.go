package reports_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// A run is followed while its file grows, by pieces that end anywhere: nothing is said of it that its end takes back,
// no event is read twice, and a task on its way is no task that never settles.
func TestARunThatGoesOnIsReportedByNow(t *testing.T) {
	takes.Seconds(t)
	for _, name := range recordedNames(t) {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			path := unpack(t, name)
			text, err := os.ReadFile(path)
			g.Expect(err).NotTo(HaveOccurred())
			last, err := reports.Judge(path)
			g.Expect(last).NotTo(BeNil(), "%v", err)
			known := map[check.Code]bool{}
			for _, f := range last.Findings {
				known[f.Code] = true
			}

			growing, err := os.Create(filepath.Join(t.TempDir(), "history.jsonl"))
			g.Expect(err).NotTo(HaveOccurred())
			defer growing.Close()
			_, err = growing.Write(text[:10])
			g.Expect(err).NotTo(HaveOccurred())
			_, err = reports.Follow(growing.Name())
			g.Expect(err).To(MatchError(history.ErrCutShort))
			at, piece := 10, len(text)/9
			var f *reports.Follower
			for at < len(text) {
				to := min(len(text), at+piece)
				_, err = growing.WriteAt(text[at:to], int64(at))
				g.Expect(err).NotTo(HaveOccurred())
				at = to
				if f == nil {
					if !bytes.ContainsRune(text[:at], '\n') {
						continue
					}
					f, err = reports.Follow(growing.Name())
					g.Expect(err).NotTo(HaveOccurred())
					defer f.Close()
				}
				r, err := f.Report()
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(r.Verdict).To(Equal(reports.Verdict("RUNNING")))
				g.Expect(r.Cause).To(HavePrefix("By now: "))
				for _, finding := range r.Findings {
					g.Expect(finding.Verdict).To(Equal(check.Fail))
					g.Expect(known).To(HaveKey(finding.Code), "%s, of which nothing is known at the end", finding.Text)
				}
				page := pageOf(g, r)
				g.Expect(page).To(ContainSubstring(`<span class="verdict">RUNNING</span>`))
				g.Expect(bytes.Contains([]byte(page), []byte("<td>never settled<"))).To(BeFalse())
				whole := int64(bytes.LastIndexByte(text[:at], '\n'))
				_, err = growing.WriteAt(bytes.Repeat([]byte{'!'}, int(whole)), 0) // what was read is not read again
				g.Expect(err).NotTo(HaveOccurred())
			}
			r, err := f.Report()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r.Ledger.Now).To(Equal(last.Ledger.Now))
			g.Expect(r.Ledger.Line).To(Equal(last.Ledger.Line))
			g.Expect(r.Faults).To(Equal(last.Faults))
		})
	}
}

// A line that is longer than what is read at a time is waited for like any other.
func TestALongLineOfARunThatGoesOnIsWaitedFor(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "history.jsonl")
	g.Expect(storm.Storm{Tasks: 200, Kills: 4, Broken: true}.Write(path)).To(Succeed())
	text, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	words := bytes.Index(text, []byte("last words"))
	g.Expect(os.WriteFile(path, text[:words+900_000], 0o600)).To(Succeed())
	f, err := reports.Follow(path)
	g.Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	for range 2 {
		r, err := f.Report()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(r.Findings).To(BeEmpty())
	}
	g.Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	r, err := f.Report()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Findings).NotTo(BeEmpty())
	g.Expect(r.Ledger.Line).To(Equal(bytes.Count(text, []byte{'\n'})))
}

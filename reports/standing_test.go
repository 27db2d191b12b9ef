package reports_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/storm"
)

// ran leaves what a run of a storm leaves in the directory.
func ran(g *WithT, dir string, s storm.Storm) *reports.Report {
	g.Expect(os.MkdirAll(dir, 0o755)).To(Succeed())
	path := filepath.Join(dir, "history.jsonl")
	g.Expect(s.Write(path)).To(Succeed())
	r, err := reports.Judge(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Write(dir, nil)).To(Succeed())
	return r
}

var (
	held   = storm.Storm{Tasks: 500, Kills: 5}
	broken = storm.Storm{Tasks: 500, Kills: 5, Broken: true}
)

func copyFile(g *WithT, from, to string) {
	data, err := os.ReadFile(from)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.MkdirAll(filepath.Dir(to), 0o755)).To(Succeed())
	g.Expect(os.WriteFile(to, data, 0o600)).To(Succeed())
}

// A report is believed as far as its history bears it out.
func TestAReportThatItsHistoryDoesNotBearOutIsNotBelieved(t *testing.T) {
	g := NewWithT(t)
	good, bad := t.TempDir(), t.TempDir()
	g.Expect(ran(g, good, held).Verdict).To(Equal(reports.Pass))
	g.Expect(ran(g, bad, broken).Verdict).To(Equal(reports.Fail))
	history, report := "history.jsonl", "report.json"
	for want, make := range map[string]func(dir string){
		"is of another run than the history beside it": func(dir string) {
			copyFile(g, filepath.Join(good, history), filepath.Join(dir, history))
			data, err := os.ReadFile(filepath.Join(good, report))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(os.WriteFile(filepath.Join(dir, report),
				[]byte(strings.Replace(string(data), `"seed": 42`, `"seed": 43`, 1)), 0o600)).To(Succeed())
		},
		"says PASS, but its history is FAIL: ": func(dir string) {
			copyFile(g, filepath.Join(bad, history), filepath.Join(dir, history))
			data, err := os.ReadFile(filepath.Join(bad, report))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(os.WriteFile(filepath.Join(dir, report), []byte(strings.Replace(string(data), `"verdict": "FAIL"`,
				`"verdict": "PASS"`, 1)), 0o600)).To(Succeed())
		},
		"says PASS, but its history is INCONCLUSIVE: ": func(dir string) { // half of it
			copyFile(g, filepath.Join(good, report), filepath.Join(dir, report))
			data, err := os.ReadFile(filepath.Join(good, history))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(os.WriteFile(filepath.Join(dir, history), data[:len(data)/2], 0o600)).To(Succeed())
		},
		"says PASS and has no history.jsonl beside it: a report alone proves nothing": func(dir string) {
			copyFile(g, filepath.Join(good, report), filepath.Join(dir, report))
		},
		"has report.html and no report.json: not all that the run left is here": func(dir string) {
			copyFile(g, filepath.Join(bad, "report.html"), filepath.Join(dir, "report.html"))
		},
		"has junit.xml, summary.md and no report.json": func(dir string) {
			copyFile(g, filepath.Join(bad, "junit.xml"), filepath.Join(dir, "junit.xml"))
			copyFile(g, filepath.Join(bad, "summary.md"), filepath.Join(dir, "summary.md"))
		},
		"has a history and no report": func(dir string) {
			copyFile(g, filepath.Join(bad, history), filepath.Join(dir, history))
		},
		"is no regular file": func(dir string) {
			copyFile(g, filepath.Join(good, report), filepath.Join(dir, report))
			g.Expect(syscall.Mkfifo(filepath.Join(dir, history), 0o600)).To(Succeed())
		},
		"report.json is not a report": func(dir string) {
			copyFile(g, filepath.Join(good, history), filepath.Join(dir, report))
		},
		"the last run that was asked for has no report here: it began and did not come to its end": func(dir string) {
			taken, err := reports.Take(dir, "respawn run storm")
			g.Expect(err).NotTo(HaveOccurred())
			taken.Release() // it was killed
		},
		"the last run that was asked for has no report here: it was to be run and never began": func(dir string) {
			g.Expect(reports.Plan(dir, "respawn run storm")).To(Succeed())
		},
		"the last run that was asked for has no report here: there is a mistake in its file": func(dir string) {
			copyFile(g, filepath.Join(good, report), filepath.Join(dir, report))
			copyFile(g, filepath.Join(good, history), filepath.Join(dir, history))
			g.Expect(reports.Distrust(dir, "there is a mistake in its file")).To(Succeed())
		},
	} {
		for _, below := range []string{"storm", "a/storm", "a/b/storm"} {
			root := t.TempDir()
			g.Expect(os.MkdirAll(filepath.Join(root, below), 0o755)).To(Succeed())
			make(filepath.Join(root, below))
			list, err := reports.Judged(root)
			g.Expect(err).To(MatchError(ContainSubstring(want)), below)
			g.Expect(list).To(BeEmpty())
			var unread *reports.UnreadError
			g.Expect(errors.As(err, &unread)).To(BeTrue())
			g.Expect(unread.Run).To(Equal(filepath.FromSlash(below)))
		}
	}
}

func TestRunsAreFoundHoweverDeepAndOnce(t *testing.T) {
	g := NewWithT(t)
	root := t.TempDir()
	for _, below := range []string{"storm", "more/storm", "more/still/storm"} {
		ran(g, filepath.Join(root, below), held)
	}
	elsewhere := t.TempDir()
	ran(g, filepath.Join(elsewhere, "storm"), broken)
	g.Expect(os.Symlink(elsewhere, filepath.Join(root, "linked"))).To(Succeed())
	g.Expect(os.Symlink("..", filepath.Join(root, "more", "up"))).To(Succeed())
	g.Expect(os.Symlink("/", filepath.Join(root, "top"))).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(root, "junit.xml"), nil, 0o600)).To(Succeed()) // as gate --junit may leave
	list, err := reports.Judged(root)
	g.Expect(err).NotTo(HaveOccurred())
	var at []string
	for _, e := range list {
		at = append(at, e.Dir)
	}
	g.Expect(at).To(Equal([]string{"linked/storm", "more/still/storm", "more/storm", "storm"}))
	g.Expect(list[0].Verdict).To(Equal(reports.Fail))
	g.Expect(reports.Judged(filepath.Join(root, "storm"))).To(HaveLen(1), "the directory of one run")
	g.Expect(reports.Judged(filepath.Join(root, "nowhere"))).To(BeEmpty())
}

// A baseline is kept for long, and its histories are not: what its reports say is enough, where no history says
// otherwise.
func TestABaselineMayBeReportsAlone(t *testing.T) {
	g := NewWithT(t)
	root, bad := t.TempDir(), t.TempDir()
	ran(g, filepath.Join(root, "storm"), held)
	g.Expect(os.Remove(filepath.Join(root, "storm", "history.jsonl"))).To(Succeed())
	g.Expect(reports.JudgedBaseline(root)).To(HaveLen(1))
	ran(g, bad, broken)
	copyFile(g, filepath.Join(bad, "history.jsonl"), filepath.Join(root, "storm", "history.jsonl"))
	_, err := reports.JudgedBaseline(root)
	g.Expect(err).To(MatchError(ContainSubstring("says PASS, but its history is FAIL")))
}

func TestWhatIsLeftOfAKilledRunIsNotTakenForItsReport(t *testing.T) {
	g := NewWithT(t)
	dir := filepath.Join(t.TempDir(), "storm")
	ran(g, dir, held)
	taken, err := reports.Take(dir, "respawn run storm")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.ReadDir(dir)).To(HaveLen(1), "what the run before has left is gone")
	g.Expect(held.Write(filepath.Join(dir, "history.jsonl"))).To(Succeed())
	taken.Release()
	_, err = reports.Judged(filepath.Dir(dir))
	g.Expect(err).To(MatchError(
		HaveSuffix("it began and did not come to its end; 'respawn report " + dir + "' judges what there is")))
	g.Expect(reports.Remove(filepath.Dir(dir), "storm")).To(Succeed())
	g.Expect(dir).NotTo(BeAnExistingFile())
}

// Runs are numbered without gaps: where one is missing, something was lost or taken away.
func TestARunThatIsMissingBetweenOthersIsTold(t *testing.T) {
	g := NewWithT(t)
	root := t.TempDir()
	for _, run := range []string{"made-up", "made-up.2", "made-up.5", "below/made-up.2"} {
		ran(g, filepath.Join(root, run), held)
	}
	list, err := reports.Judged(root)
	g.Expect(list).To(HaveLen(4))
	var gone []string
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		var unread *reports.UnreadError
		g.Expect(errors.As(err, &unread)).To(BeTrue())
		g.Expect(unread).To(MatchError(MatchRegexp(`is not there, though .*made-up\.[25] is: not all runs are here$`)))
		gone = append(gone, unread.Run)
	}
	g.Expect(gone).To(ConsistOf("made-up.3", "made-up.4", "below/made-up"))
	g.Expect(reports.JudgedBaseline(root)).To(HaveLen(4))
}

package reports_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
)

func TestTwoRunsDoNotShareADirectory(t *testing.T) {
	g := NewWithT(t)
	out := t.TempDir()
	dir := filepath.Join(out, "storm")
	first, err := reports.Take(dir, "")
	g.Expect(err).NotTo(HaveOccurred())
	written := filepath.Join(dir, "history.jsonl")
	g.Expect(os.WriteFile(written, []byte("{}\n"), 0o600)).To(Succeed())

	_, err = reports.Take(dir, "")
	g.Expect(err).To(MatchError(reports.ErrTaken))
	g.Expect(err).To(MatchError(HavePrefix(dir + ": another run is writing there")))
	g.Expect(reports.Remove(out, "storm")).To(MatchError(reports.ErrTaken))
	g.Expect(written).To(BeAnExistingFile())

	first.Release()
	again, err := reports.Take(dir, "")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(written).NotTo(BeAnExistingFile())
	g.Expect(again.Finish()).To(Succeed())
	g.Expect(os.ReadDir(dir)).To(BeEmpty(), "a lock leaves no file, nor a run that has come to its end its mark")
	again.Release()
	g.Expect(reports.Remove(out, "storm")).To(Succeed())
	g.Expect(dir).NotTo(BeAnExistingFile())
}

func TestNothingOfARunningRepetitionIsRemovedOrDistrusted(t *testing.T) {
	g := NewWithT(t)
	out := t.TempDir()
	first, second := filepath.Join(out, "storm"), filepath.Join(out, "storm.2")
	g.Expect(os.Mkdir(first, 0o700)).To(Succeed())
	written := filepath.Join(first, "history.jsonl")
	g.Expect(os.WriteFile(written, []byte("{}\n"), 0o600)).To(Succeed())
	going, err := reports.Take(second, "")
	g.Expect(err).NotTo(HaveOccurred())

	g.Expect(reports.Remove(out, "storm")).To(MatchError(reports.ErrTaken))
	g.Expect(reports.Distrust(first, "another could not begin")).To(MatchError(reports.ErrTaken))
	g.Expect(written).To(BeAnExistingFile())
	g.Expect(filepath.Join(first, "unfinished.json")).NotTo(BeAnExistingFile())

	going.Release()
	g.Expect(reports.Distrust(first, "another could not begin")).To(Succeed())
	g.Expect(filepath.Join(first, "unfinished.json")).To(BeAnExistingFile())
	g.Expect(reports.Remove(out, "storm")).To(Succeed())
	g.Expect(os.ReadDir(out)).To(BeEmpty())
}

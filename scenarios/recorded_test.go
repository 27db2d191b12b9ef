package scenarios_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// A history of eleven faults of ten kinds, recorded before faults had a room of their own (schema version 1), is judged
// as it was, and its replay finds each of them again by its one-line form.
func TestAnEarlierRecordIsJudgedAndReplayedAsItWas(t *testing.T) {
	g := NewWithT(t)
	packed, err := os.Open("testdata/every-fault.jsonl.gz")
	g.Expect(err).NotTo(HaveOccurred())
	defer packed.Close()
	in, err := gzip.NewReader(packed)
	g.Expect(err).NotTo(HaveOccurred())
	text, err := io.ReadAll(in)
	g.Expect(err).NotTo(HaveOccurred())
	file := filepath.Join(t.TempDir(), scenarios.HistoryFile)
	g.Expect(os.WriteFile(file, text, 0o600)).To(Succeed())

	r, err := reports.Judge(file)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Verdict).To(Equal(check.Pass))
	g.Expect(r.Cause).To(Equal("11 faults confirmed, every slot back within 13.4ms"))

	again, err := scenarios.ReadReplay(file, scenarios.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.Left).To(BeZero())
	var lines []string
	for _, s := range again.Shots {
		lines = append(lines, s.Fault.String())
	}
	g.Expect(lines).To(ConsistOf(
		"signal KILL", "exit 3", "exit 3", "panic oh no", "pause 100ms", "crashpoint after-write", "fds 40",
		"spawn fail 1", "resize 4", "restart", "close",
	))
}

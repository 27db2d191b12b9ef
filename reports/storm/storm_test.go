package storm_test

import (
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports/storm"
)

func TestStormIsAHistoryThatPassesAndFailsWhenItIsBroken(t *testing.T) {
	for _, broken := range []bool{false, true} {
		g := NewWithT(t)
		s := storm.Storm{Tasks: 6_000, Kills: 50, Broken: broken}
		path := filepath.Join(t.TempDir(), "history.jsonl")
		g.Expect(s.Write(path)).To(Succeed())
		record, err := history.Open(path)
		g.Expect(err).NotTo(HaveOccurred())
		result := check.Judge(record.Header, record.Events())
		g.Expect(record.Close()).To(Succeed())
		g.Expect(result.Verdict).To(Equal(map[bool]check.Verdict{false: check.Pass, true: check.Fail}[broken]),
			result.Cause)
		g.Expect(result.Metrics).To(HaveKeyWithValue("faults.confirmed", 50.0))
		g.Expect(result.Metrics["pool.below.total"]).To(And(BeNumerically(">", 0.1), BeNumerically("<", 5)),
			"what ends with the run is not missing")

		in, err := history.Open(path)
		g.Expect(err).NotTo(HaveOccurred())
		n := 0
		for e, err := range in.Events() {
			g.Expect(err).NotTo(HaveOccurred())
			if n++; e.End != nil {
				g.Expect(n).To(BeNumerically(">", 18_000), "three events a task, and the rest")
			}
		}
		g.Expect(in.Close()).To(Succeed())
	}
}

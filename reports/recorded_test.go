package reports_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports"
)

// recorded are histories and what they were judged to be when they were recorded: beside NAME.jsonl.gz there is
// NAME.json, with the exits as pairs of a pid and the injection that it is a consequence of. Those of the own pool are
// of version 1 of the format; driver (a pool that breaks when a worker is killed), server and fleet of version 2. None
// of the kind naive can be recorded any more.
const recorded = "testdata/recorded"

// unpack writes the history out and returns its path.
func unpack(t *testing.T, name string) string {
	t.Helper()
	g := NewWithT(t)
	in, err := os.Open(filepath.Join(recorded, name+".jsonl.gz"))
	g.Expect(err).NotTo(HaveOccurred())
	defer in.Close()
	z, err := gzip.NewReader(in)
	g.Expect(err).NotTo(HaveOccurred())
	text, err := io.ReadAll(z)
	g.Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(t.TempDir(), "history.jsonl")
	g.Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

// names of the recorded histories.
func recordedNames(t *testing.T) (names []string) {
	t.Helper()
	g := NewWithT(t)
	files, err := filepath.Glob(filepath.Join(recorded, "*.jsonl.gz"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(files).NotTo(BeEmpty())
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".jsonl.gz"))
	}
	return names
}

// What was judged once is judged so again, to the last figure, however the program has changed since.
func TestRecordedHistoriesAreJudgedAsTheyWere(t *testing.T) {
	for _, name := range recordedNames(t) {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			data, err := os.ReadFile(filepath.Join(recorded, name+".json"))
			g.Expect(err).NotTo(HaveOccurred())
			var was check.Result
			g.Expect(json.Unmarshal(data, &was)).To(Succeed())
			var told struct{ Exits [][2]int }
			g.Expect(json.Unmarshal(data, &told)).To(Succeed())

			r, err := reports.Judge(unpack(t, name))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(r.Verdict).To(Equal(was.Verdict))
			g.Expect(r.Cause).To(Equal(was.Cause))
			for name, v := range was.Metrics { // and metrics that there were not then may be beside them
				g.Expect(r.Metrics).To(HaveKeyWithValue(name, v))
			}
			g.Expect(r.Thresholds).To(Equal(was.Thresholds))
			g.Expect(slices.Equal(r.Recoveries, was.Recoveries)).To(BeTrue(), "%v", r.Recoveries)
			g.Expect(r.Findings).To(HaveLen(len(was.Findings)))
			for i := range r.Findings {
				g.Expect(r.Findings[i].Code).NotTo(BeEmpty())
				if was.Findings[i].Code == "" { // which reports did not have at first
					r.Findings[i].Code, r.Findings[i].Metric = "", ""
				}
			}
			g.Expect(r.Findings).To(Equal(was.Findings))
			exits := [][2]int{}
			for _, x := range r.Exits {
				exits = append(exits, [2]int{x.PID, x.Fault})
			}
			g.Expect(exits).To(Equal(told.Exits))
		})
	}
}

// A history of an earlier version says in a sentence what is a field of its own by now.
func TestAlarmsOfVersion1AreReadAsFields(t *testing.T) {
	for name, want := range map[string]history.Alarm{
		"abort":       {Kind: history.AlarmAbort, Rule: "pool.ready < 1 or faults.confirmed > 5"},
		"interrupted": {Kind: history.AlarmInterrupt, Text: "stopped by Ctrl-C"},
		"timeout":     {Kind: history.AlarmTimeout, Text: "its timeout of 3s is over"},
	} {
		g := NewWithT(t)
		in, err := history.Open(unpack(t, name))
		g.Expect(err).NotTo(HaveOccurred())
		var alarms []history.Alarm
		for e, err := range in.Events() {
			g.Expect(err).NotTo(HaveOccurred())
			if e.Alarm != nil {
				alarms = append(alarms, *e.Alarm)
			}
		}
		g.Expect(in.Close()).To(Succeed())
		g.Expect(alarms).To(Equal([]history.Alarm{want}), name)
	}
}

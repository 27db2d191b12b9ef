package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// Without a terminal each kill and each recovery is a line as it happens; of a storm some are, and the rest is counted.
func TestLogTellsKillsAndRecoveriesAsTheyHappen(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	d := newDisplay(&out, "mine")
	p := scenarios.Progress{Stage: "start"}
	d.update(p)
	p.At, p.Stage, p.News = 10*time.Millisecond, "boot", "stage boot"
	d.update(p)
	p = scenarios.Progress{At: 500 * time.Millisecond, Stage: "chaos", Ready: 2, Want: 2, News: "stage chaos"}
	d.update(p)
	p.At, p.Confirmed, p.Waiting, p.News = 600*time.Millisecond, 1, 1, "#1 signal KILL on slot 0 pid 7: confirmed"
	d.update(p)
	p.At, p.News = 650*time.Millisecond, ""
	d.update(p)
	p.At, p.Recovered, p.Waiting, p.News = 700*time.Millisecond, 1, 0, "#1 slot 0 is back as pid 8 after 5ms"
	d.update(p)
	p.At, p.Tasks, p.News = 1600*time.Millisecond, 1, ""
	d.update(p)
	g.Expect(strings.Split(out.String(), "\n")).To(Equal([]string{
		"mine    0.00s  start   starting",
		"mine    0.50s  chaos   ready 2/2, 0 faults confirmed, 0 tasks",
		"mine    0.60s  chaos   #1 signal KILL on slot 0 pid 7: confirmed",
		"mine    0.70s  chaos   #1 slot 0 is back as pid 8 after 5ms",
		"mine    1.60s  chaos   ready 2/2, 1 fault confirmed, 1 of 1 death recovered, 1 task",
		"",
	}))
	out.Reset()
	for i := range 100 {
		p.At, p.News = 2*time.Second+time.Duration(i)*time.Millisecond, fmt.Sprintf("#%d\n::error::", i)
		d.update(p)
	}
	d.end()
	g.Expect(strings.Count(out.String(), ":error::")).To(Equal(newsPerSecond))
	g.Expect(out.String()).To(HaveSuffix("mine 80 more lines left out\n"))
	g.Expect(out.String()).NotTo(MatchRegexp(`(?m)^::`))
}

// What matters of the live line is whole on a terminal of 80 columns, with room for the ^C that the terminal writes there.
func TestTheLiveLineKeepsItsFiguresOnANarrowTerminal(t *testing.T) {
	g := NewWithT(t)
	d := newDisplay(&bytes.Buffer{}, "a-scenario-with-a-rather-long-name")
	p := scenarios.Progress{Done: 0.5, Ready: 8, Want: 8, Confirmed: 40, Recovered: 39, Waiting: 1, Tasks: 76355, Bad: 2}
	const text = "ready 8/8, 2 bad, 40 faults confirmed, 39 of 40 deaths recovered, 76,355 tasks"
	for columns := len(text); columns < 200; columns++ {
		bar := d.bar(p, columns)
		g.Expect(bar).To(HaveSuffix(text))
		g.Expect(len([]rune(bar))).To(BeNumerically("<=", columns))
	}
	g.Expect(d.bar(p, 150)).To(Equal("a-scenario-with-a-rather-long-name ████████████░░░░░░░░░░░░ " + text))
	g.Expect(len([]rune(d.bar(p, 40)))).To(BeNumerically("<=", 40))
	p.Confirmed, p.Recovered, p.Waiting, p.Bad, p.Tasks = 4, 4, 0, 0, 400
	g.Expect(d.bar(p, 80-echo)).To(HavePrefix("█"), "without the name there is room for a bar")
}

func TestTheListIsBrokenBetweenWordsAndFitsEightyColumns(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	l, err := scenarios.List()
	g.Expect(err).NotTo(HaveOccurred())
	printEntries(&out, "metrics", l.Metrics)
	words := map[string]bool{}
	for _, e := range l.Metrics {
		for _, w := range strings.Fields(e.Name + " (" + e.Unit + ") " + e.Doc) {
			words[w] = true
		}
	}
	for line := range strings.Lines(strings.TrimPrefix(out.String(), "metrics:\n")) {
		g.Expect(len([]rune(strings.TrimSuffix(line, "\n")))).To(BeNumerically("<=", 80), line)
		for _, w := range strings.Fields(line) {
			g.Expect(words).To(HaveKey(w), "broken within")
		}
	}
}

func TestSeveralRunsAreSummedUpInATable(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	mine := &reports.Report{Facts: reports.Facts{Scenario: "mine", DurationS: 2.5}}
	mine.Verdict, mine.Metrics = reports.Pass, map[string]float64{"faults.confirmed": 1200, "slot.recovery.p50": 0.0051}
	printSummary(&out, []reports.IndexEntry{
		{Report: mine, Dir: "mine.2"},
		{Report: &reports.Report{Facts: reports.Facts{Scenario: "other", Skipped: "no cgroup"}}, Dir: "other"},
	})
	g.Expect(strings.Split(out.String(), "\n")).To(Equal([]string{
		"", "verdict  run     faults  recovery  took", "PASS     mine.2  1,200   5.1ms     2.5s", "SKIPPED  other   0       –         0s", "",
	}))
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// kept is a log's text, for reading.
type kept struct{ io.Writer }

func (kept) Close() error { return nil }

// Without a terminal each kill and each recovery is a line as it happens, and every five seconds there is one with the
// figures; of a storm some lines are told, and the rest is counted.
func TestLogTellsKillsAndRecoveriesAsTheyHappen(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	d := newLog(kept{&out}, "mine")
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
	for at := 800 * time.Millisecond; at < 10*time.Second; at += 100 * time.Millisecond {
		p.At, p.Tasks, p.News = at, 1, ""
		d.update(p)
	}
	p.At, p.News = 9950*time.Millisecond, "abort: pool.ready < 1"
	d.update(p)
	g.Expect(strings.Split(out.String(), "\n")).To(Equal([]string{
		"mine    0.00s  start   starting",
		"mine    0.60s  chaos   #1 signal KILL on slot 0 pid 7: confirmed",
		"mine    0.70s  chaos   #1 slot 0 is back as pid 8 after 5ms",
		"mine    5.00s  chaos   ready 2/2, 1 fault confirmed, 1 of 1 death recovered, 1 task",
		"mine    9.95s  chaos   abort: pool.ready < 1",
		"",
	}))
	out.Reset()
	for i := range 100 {
		p.At, p.News = 11*time.Second+time.Duration(i)*time.Millisecond, fmt.Sprintf("#%d\n::error::", i)
		d.update(p)
	}
	d.end()
	g.Expect(strings.Count(out.String(), ":error::")).To(Equal(newsPerSecond))
	g.Expect(out.String()).To(HaveSuffix("mine 80 more lines left out\n"))
	g.Expect(out.String()).NotTo(MatchRegexp(`(?m)^::`))
}

func TestTheListIsBrokenBetweenWordsAndFitsEightyColumns(t *testing.T) {
	takes.Seconds(t)
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
		"", "verdict  run     faults  recovery  took", "PASS     mine.2  1,200   5.1ms     2.5s",
		"SKIPPED  other   0       –         0s", "",
	}))
}

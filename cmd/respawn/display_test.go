package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

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

package reports_test

import (
	"bytes"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

func TestAStarvedHostIsDrawnAndSaidInASentence(t *testing.T) {
	g := NewWithT(t)
	const second = time.Second
	look := func(at time.Duration, others time.Duration, late time.Duration) history.Event {
		return history.Event{T: at, Host: &history.Host{
			Over: second, CPUs: 2, Own: 100 * time.Millisecond, Others: others, Idle: 1900*time.Millisecond - others,
			Pressure: -1,
			Late:     []time.Duration{time.Millisecond, late},
		}}
	}
	r := judgedAll(events(look(second, 0, time.Millisecond), look(2*second, 1900*time.Millisecond, 30*time.Millisecond),
		look(3*second, 0, 0)))
	r.Thresholds = append(r.Thresholds,
		check.Threshold{Group: "expect", Text: "tasks.wall <= 1s", Metric: "tasks.wall", Starved: true})
	page := pageOf(g, r)
	const line = "The host was starved for 1s of 3s: others took 32% of its CPU time, the run 5%, a sleep ended up " +
		"to 30ms late."
	g.Expect(page).To(And(
		ContainSubstring(line), ContainSubstring("CPU of the host"), ContainSubstring("Lateness of a sleep"),
		ContainSubstring("<title>starved</title>"), ContainSubstring("? host starved"),
	))
	var summary, cases bytes.Buffer
	g.Expect(r.Markdown(&summary, nil)).To(Succeed())
	g.Expect(summary.String()).To(And(ContainSubstring(line), ContainSubstring("? host starved")))
	g.Expect(r.JUnit(&cases, "")).To(Succeed())
	g.Expect(cases.String()).To(ContainSubstring("the host was starved: this blames nobody"))
}

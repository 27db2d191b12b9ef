package reports_test

import (
	"iter"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/reports"
)

// a death of slot 2 by injection n at a time, in three parts.
func planned(n int, at time.Duration) history.Event {
	return history.Event{T: at, Fault: &history.Fault{N: n, Op: "planned", Fault: "signal KILL", Due: at, Victim: &history.Victim{PID: 100 + n, Slot: 2}}}
}

func settled(n int, at, death time.Duration) history.Event {
	return history.Event{T: at, Fault: &history.Fault{
		N: n, Op: "settled", Outcome: "confirmed", Fatal: true, Receipt: &history.Receipt{Tier: "wait status", At: death},
	}}
}

func probed(n int, op string, at time.Duration) history.Event {
	return history.Event{T: at, Probe: &history.Probe{For: n, Slot: 2, Op: op, PID: 101 + n}}
}

// judgedAll is the report of those events, judged.
func judgedAll(list iter.Seq2[history.Event, error]) *reports.Report {
	h := history.Header{Scenario: "made up", Target: history.Target{Kind: "pool", Size: 4}}
	c := reports.NewCollector(h)
	return c.Report(check.Judge(h, c.Tee(list)))
}

// With a spare at hand the replacement answers before the harness has its evidence together.
func TestAProbeThatIsAnsweredBeforeTheDeathIsConfirmedIsARecovery(t *testing.T) {
	g := NewWithT(t)
	const ms = time.Millisecond
	page := pageOf(g, judgedAll(events(
		planned(5, 1000*ms), probed(5, "sent", 1010*ms), probed(5, "answered", 1060*ms), settled(5, 1100*ms, 1005*ms),
		planned(6, 2000*ms), probed(6, "sent", 2010*ms), probed(6, "failed", 2060*ms), settled(6, 2100*ms, 2005*ms),
	)))
	g.Expect(page).To(ContainSubstring("#5 slot 2: 55.0 ms"))
	g.Expect(page).To(ContainSubstring("#6 slot 2: never"))
}

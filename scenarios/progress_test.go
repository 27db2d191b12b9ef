package scenarios

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// followed tells the progress of a run of which it is given the events.
func followed(tell func(Progress)) func(history.Event) {
	l, line := ledger.New(history.Header{}), 1
	track := newTracker(l, time.Second, tell)
	return func(e history.Event) {
		line++
		l.Add(line, &e)
		track.look(e)
	}
}

// With a spare at hand the replacement answers before the harness has its evidence together.
func TestProgressCountsARecoveryThatComesBeforeItsDeathIsConfirmed(t *testing.T) {
	g := NewWithT(t)
	const ms = time.Millisecond
	var last Progress
	track := followed(func(p Progress) { last = p })
	fault := history.Fault{N: 5, Fault: "signal KILL", Victim: &history.Victim{PID: 11, Slot: 2}}
	planned, settled := fault, fault
	planned.Op, settled.Op, settled.Outcome, settled.Fatal = history.Planned, history.Concluded, history.Confirmed, true
	settled.Receipt = &history.Receipt{At: 1005 * ms}

	track(history.Event{T: 1000 * ms, Fault: &planned})
	track(history.Event{T: 1060 * ms, Probe: &history.Probe{For: 5, Slot: 2, Op: history.Answered, PID: 12}})
	g.Expect(last.Recovered).To(BeZero(), "it may have ended by itself")
	track(history.Event{T: 1100 * ms, Fault: &settled})
	g.Expect([]int{last.Confirmed, last.Recovered, last.Waiting}).To(Equal([]int{1, 1, 0}))
	g.Expect(last.News).To(Equal("#5 signal KILL on slot 2 pid 11: back as pid 12 after 55ms"))
}

// A fault is one line, also where its slot is back later than it is confirmed.
func TestProgressTellsAFaultAndItsRecoveryInOneLine(t *testing.T) {
	g := NewWithT(t)
	const ms = time.Millisecond
	var news []string
	track := followed(func(p Progress) {
		if p.News != "" {
			news = append(news, p.News)
		}
	})
	fault := history.Fault{N: 5, Fault: "signal KILL", Victim: &history.Victim{PID: 11, Slot: 2, Phase: "busy"}}
	planned, settled := fault, fault
	planned.Op, settled.Op, settled.Outcome, settled.Fatal = history.Planned, history.Concluded, history.Confirmed, true
	settled.Receipt = &history.Receipt{}

	track(history.Event{T: 1000 * ms, Fault: &planned})
	track(history.Event{T: 1010 * ms, Fault: &settled})
	track(history.Event{T: 2210 * ms, Probe: &history.Probe{For: 5, Slot: 2, Op: history.Answered, PID: 12}})
	g.Expect(news).To(Equal([]string{"#5 signal KILL on slot 2 pid 11 (busy): back as pid 12 after 1.2s"}))
}

package ledger_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// A slot is down from its death on until somebody is of use there, and then struck for as long as eyes need.
func TestStatesFollowADeathAndItsRecovery(t *testing.T) {
	g := NewWithT(t)
	l, line := ledger.New(history.Header{Target: history.Target{Size: 3, Can: []string{"events"}}}), 1
	add := func(at time.Duration, e history.Event) {
		line++
		e.T = at
		l.Add(line, &e)
	}
	member := func(op history.MemberOp, slot, pid int) history.Event {
		return history.Event{Member: &history.MemberEvent{Op: op, Slot: slot, PID: pid}}
	}
	const ms = time.Millisecond
	g.Expect(l.States()).To(Equal([]ledger.State{ledger.Absent, ledger.Absent, ledger.Absent}))
	add(0, member(history.Started, 0, 10))
	add(0, member(history.Started, 1, 11))
	add(1*ms, member(history.Ready, 1, 11))
	g.Expect(l.States()).To(Equal([]ledger.State{ledger.Starting, ledger.Up, ledger.Absent}))

	fault := history.Fault{N: 1, Fault: "signal KILL", Victim: &history.Victim{PID: 11, Slot: 1}}
	injected, settled := fault, fault
	injected.Op, settled.Op = history.Injected, history.Concluded
	settled.Outcome, settled.Fatal, settled.Receipt = history.Confirmed, true, &history.Receipt{At: 11 * ms}
	add(10*ms, history.Event{Fault: &injected})
	g.Expect(l.States()[1]).To(Equal(ledger.Struck))
	add(12*ms, history.Event{Fault: &settled})
	add(12*ms, member(history.Exited, 1, 11))
	g.Expect(l.States()[1]).To(Equal(ledger.Down))
	add(20*ms, member(history.Started, 1, 12))
	add(30*ms, member(history.Ready, 1, 12))
	g.Expect(l.States()[1]).To(Equal(ledger.Down), "nobody has answered")
	add(31*ms, history.Event{Probe: &history.Probe{For: 1, Slot: 1, Op: history.Answered, PID: 12}})
	g.Expect(l.States()[1]).To(Equal(ledger.Struck), "for a second")
	add(1020*ms, member(history.Ready, 0, 10))
	g.Expect(l.States()).To(Equal([]ledger.State{ledger.Up, ledger.Up, ledger.Absent}))
}

// Of a target that does not tell who is ready where, all are up or it is not known who is.
func TestStatesOfATargetThatTellsNothing(t *testing.T) {
	g := NewWithT(t)
	l := ledger.New(history.Header{Target: history.Target{Size: 2}})
	g.Expect(l.States()).To(Equal([]ledger.State{ledger.Absent, ledger.Absent}))
	l.Add(2, &history.Event{Sample: &history.Sample{Want: 2, Ready: 2, Alive: 2}})
	g.Expect(l.States()).To(Equal([]ledger.State{ledger.Up, ledger.Up}))
	l.Add(3, &history.Event{Sample: &history.Sample{Want: 2, Ready: 2, Alive: 1}})
	g.Expect(l.States()).To(Equal([]ledger.State{ledger.Absent, ledger.Absent}))
}

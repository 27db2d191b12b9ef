package check_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// broadly is a fault without a victim of its own, or on the target's parent.
func (s *story) broadly(v *history.Victim, ends string, pids ...int) *story {
	s.begun(v, ends)
	return s.add(history.Event{Fault: &history.Fault{
		N: s.faults, Op: history.Concluded, Outcome: history.Confirmed, Receipt: &history.Receipt{PIDs: pids},
	}})
}

// begun is one that is not settled yet.
func (s *story) begun(v *history.Victim, ends string) *story {
	s.faults++
	s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Planned, Fault: "f", Victim: v}})
	return s.add(
		history.Event{Fault: &history.Fault{N: s.faults, Op: history.Injected, Victim: v, Ends: []string{ends}}})
}

// poisoned is a deadly task that is on its way.
func (s *story) poisoned() *story {
	s.faults++
	s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Planned, Fault: "poison 42"}})
	return s.add(history.Event{
		Fault: &history.Fault{N: s.faults, Op: history.Injected, Fault: "poison 42", Marker: "respawn poison: exit 42"},
	})
}

// unconfirmed settles it without the pids of those that died of it.
func (s *story) unconfirmed() *story {
	return s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Concluded, Outcome: history.Unconfirmed}})
}

func (s *story) healed() *story {
	return s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Healed}})
}

// done settles the fault that was begun.
func (s *story) done() *story {
	return s.add(history.Event{Fault: &history.Fault{
		N: s.faults, Op: history.Concluded, Outcome: history.Confirmed, Receipt: &history.Receipt{},
	}})
}

func (s *story) retire(slot int) *story {
	return s.member(history.MemberEvent{Op: history.Retiring, Slot: slot, PID: s.pids[slot], Reason: "restart"})
}

// starting begins a boot in slot 1, which failed ends.
func (s *story) starting(pid int) *story {
	return s.member(history.MemberEvent{Op: history.Started, Slot: 1, PID: pid})
}

func (s *story) failed(pid int) *story {
	return s.member(history.MemberEvent{Op: history.Exited, Slot: 1, PID: pid, Exit: &history.Exit{Code: 3}})
}

func TestFaultOnTheWholeTargetExplainsWhatFollowsFromIt(t *testing.T) {
	crash := history.Exit{Code: 3}
	dead := history.Exit{Code: 42, Stderr: "some words\nrespawn poison: exit 42\n"}
	other := history.Exit{Code: 4, Stderr: "respawn poison: exit 421"}
	parent := &history.Victim{Slot: -1, PID: 99}
	for name, c := range map[string]struct {
		story                   *story
		unexplained, collateral float64
	}{
		"a restart replaces members": {
			calm().broadly(nil, "restart").exit(1, "restart", history.Exit{}).start(1), 0, 0,
		},
		"it does not crash them": {calm().broadly(nil, "restart").exit(1, "", crash).start(1), 1, 0},
		"nor end them for other reasons": {
			calm().broadly(nil, "restart").exit(1, "timeout", history.Exit{}).start(1), 0, 1,
		},
		"nor after it": {
			calm().broadly(nil, "restart").wait(time.Minute).exit(1, "restart", history.Exit{}).start(1), 0, 1,
		},
		"but those that take their time": {
			calm().begun(nil, "restart").retire(1).done().wait(time.Minute).exit(1, "restart", history.Exit{}).start(1),
			0, 0,
		},
		"as long as it is under way": {
			calm().begun(nil, "restart").wait(time.Minute).exit(1, "restart", history.Exit{}).start(1).done(), 0, 0,
		},
		"poison ends those it lists":   {calm().broadly(nil, "", 402).exit(1, "", crash).start(1), 0, 0},
		"and no others":                {calm().broadly(nil, "", 402).exit(2, "", crash).start(2), 1, 0},
		"its marker tells before that": {calm().poisoned().exit(1, "", dead).start(1), 0, 0},
		"and also if it is not confirmed": {
			calm().poisoned().unconfirmed().wait(time.Minute).exit(1, "", dead).start(1), 0, 0,
		},
		"but not of another death": {
			calm().poisoned().unconfirmed().exit(1, "", crash).exit(2, "", other).start(1).start(2), 2, 0,
		},
		"nor of one before it":            {calm().exit(1, "", dead).start(1).wait(time.Minute).poisoned(), 1, 0},
		"boots that fail are never ready": {calm().broadly(nil, "boot").starting(900).failed(900), 0, 0},
		"if they began before it was over": {
			calm().broadly(nil, "boot").starting(900).healed().wait(time.Minute).failed(900), 0, 0,
		},
		"and not after": {
			calm().broadly(nil, "boot").healed().wait(time.Minute).starting(900).failed(900), 1, 0,
		},
		"a restart fails no boots": {calm().broadly(nil, "restart").starting(900).failed(900), 1, 0},
		"until it is healed": {
			calm().broadly(nil, "restart").healed().wait(time.Minute).exit(1, "restart", history.Exit{}).start(1), 0, 1,
		},
		"not what came before": {
			calm().exit(1, "restart", history.Exit{}).start(1).wait(time.Minute).broadly(nil, "restart"), 0, 1,
		},
		"the parent takes everybody along": {calm().broadly(parent, "").exit(1, "", crash).exit(2, "", crash), 0, 0},
		"a pause that was survived is over": {
			calm().strike(1, history.Confirmed, false).wait(time.Minute).exit(1, "", crash).start(1), 1, 0,
		},
		"it may be the end at its end": {
			calm().strike(1, history.Confirmed, false).exit(1, "stall", crash).start(1), 0, 0,
		},
		"a member that never was ready": {calm().kill(0).starting(900).failed(900), 1, 0},
		"ends while stopping are nobody's": {
			calm().kill(0).stage(history.Stop).exit(1, "", crash).exit(2, "stop", history.Exit{}), 0, 0,
		},
		"a missed one is let go unharmed": {
			calm().strike(1, history.Missed, false).exit(1, "", crash).start(1), 1, 0,
		},
		"an unconfirmed kill may have been": {
			calm().strike(1, history.Unconfirmed, false).exit(1, "", crash).start(1), 0, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			m := c.story.judge().Metrics
			g.Expect(m["exits.unexplained"]).To(Equal(c.unexplained))
			g.Expect(m["exits.collateral"]).To(Equal(c.collateral))
		})
	}
}

func TestExitsAreCountedByKindAndReason(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	for _, x := range []struct {
		reason string
		exit   history.Exit
	}{
		{"", history.Exit{Code: 0}},
		{"", history.Exit{Code: -1, Signal: "SIGTERM"}},
		{"", history.Exit{Code: 2, OOM: "x"}},
		{"", history.Exit{Code: -1, Signal: "SIGABRT"}},
		{"stall", history.Exit{Code: -1, Signal: "SIGKILL", Kind: "ours"}},
		{"recycle", history.Exit{Kind: "clean"}},
		{"timeout", history.Exit{Kind: "ours"}},
		{"", history.Exit{Kind: "unknown", MaxRSS: 7}},
	} {
		s.exit(1, x.reason, x.exit).start(1)
	}
	m := s.judge().Metrics
	for name, want := range map[string]float64{
		"total": 8, "replaced": 8, "clean": 2, "killed": 1, "oom": 1, "crashed": 1, "ours": 2, "unknown": 1,
		"stalled": 1, "recycled": 1, "timed_out": 1, "unexplained": 5, "collateral": 3,
	} {
		g.Expect(m["exits."+name]).To(Equal(want), name)
	}
	g.Expect(m["memory.member.max"]).To(Equal(7.0))
	g.Expect(m["starts.count"]).To(Equal(8.0))
	g.Expect(m["starts.max_concurrent"]).To(Equal(1.0))
}

func TestStartsAreCountedAtOnceAndSparesAreNot(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	for pid := range 3 {
		s.member(history.MemberEvent{Op: history.Started, Slot: pid, PID: 900 + pid})
	}
	s.member(history.MemberEvent{Op: history.Started, Slot: -1, PID: 950}) // on the bench
	s.member(history.MemberEvent{Op: history.BootFailed, Slot: 0, PID: 900})
	s.member(history.MemberEvent{Op: history.Started, Slot: 3, PID: 903})
	m := s.judge().Metrics
	g.Expect(m["starts.max_concurrent"]).To(Equal(3.0))
	g.Expect(m["starts.failed"]).To(Equal(1.0))
}

func TestSuccessorThatIsReadyBeforeItsPredecessorEndsReplacesIt(t *testing.T) {
	g := NewWithT(t)
	s := calm().broadly(nil, "restart").
		member(history.MemberEvent{Op: history.Retiring, Slot: 1, PID: 402, Reason: "restart"}).start(1)
	s.member(history.MemberEvent{Op: history.Exited, Slot: 1, PID: 402, Reason: "restart"})
	m := s.verify(4).stop().end().judge().Metrics
	g.Expect(m["exits.replaced"]).To(Equal(1.0))
	g.Expect(m["pids.turnover"]).To(Equal(1.0))
	g.Expect(m["slots.silent"]).To(Equal(0.0))
}

func TestDetectionIsFromTheInjectionToTheExit(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	s.add(history.Event{
		Fault: &history.Fault{N: 1, Op: history.Injected, Victim: &history.Victim{Slot: 1, PID: 402}, Due: s.now},
	})
	from := s.now
	s.wait(time.Second).exit(1, "stall", history.Exit{Code: -1, Signal: "SIGKILL", Kind: "ours"})
	want := (s.now - from).Seconds()
	s.start(1).verify(4).stop().end()
	g.Expect(s.metric("faults.detection.max")).To(BeNumerically("~", want, 1e-9))
	g.Expect(s.metric("faults.lag.max")).To(BeNumerically("~", 1*ms, 1e-9), "due at one record, injected at the next")
}

func TestBlameOfAnotherTaskThanTheOneThatRan(t *testing.T) {
	g := NewWithT(t)
	blamed := func(task uint64) *story {
		s := calm().strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL", Task: 7})
		s.member(history.MemberEvent{Op: history.Requeued, Slot: 1, PID: 402, Task: task, Blamed: true})
		return s.start(1).probe(1, 1).verify(4).stop().end()
	}
	g.Expect(blamed(7).judge().Verdict).To(Equal(check.Pass))
	r := blamed(8).judge()
	g.Expect(r.Cause).To(Equal("1 task paid for the death of a member that it did not cause; it is task 8 (it was " +
		"charged with the death of a member that was running another)"))
}

// What a target does to members that nobody struck, because one was, is the target's failure, and the sentence says
// what it was a reaction to.
func TestDeathsThatTheTargetCausesInReactionAreToldWithTheirCause(t *testing.T) {
	term := history.Exit{Code: -1, Signal: "SIGTERM"}
	for want, s := range map[string]*story{
		"3 members died though nobody caused it, within 12ms of the end of slot 0, pid 401, by injection 1 (signal " +
			"KILL); the first is slot 1, pid 402: SIGTERM": calm().
			kill(0).wait(5*time.Millisecond).exit(1, "", term).exit(2, "", term).exit(3, "", term),
		"1 member died though nobody caused it, within 10ms of the end of slot 0, pid 401, by injection 1 (signal " +
			"KILL); it is slot 1, pid 402: SIGTERM": calm().
			kill(0).wait(5*time.Millisecond).exit(1, "", term),
		"1 member died though nobody caused it; it is slot 1, pid 402: SIGTERM": calm().kill(0).wait(time.Minute).
			exit(1, "", term),
		"2 members died though nobody caused it, 1 of them within 10ms of the end of slot 0, pid 401, by injection 1 " +
			"(signal KILL); the first is slot 1, pid 402: SIGTERM": calm().
			kill(0).wait(5*time.Millisecond).exit(1, "", term).wait(time.Minute).exit(2, "", term),
		"1 member that no fault was aimed at was ended by the target, within 10ms of the end of slot 0, pid 401, by " +
			"injection 1 (signal KILL); it is slot 1, pid 402: exit code 0, for the reason \"recycle\"": calm().
			kill(0).wait(5*time.Millisecond).exit(1, "recycle", history.Exit{}),
	} {
		r := s.verify(4).stop().end().judge()
		NewWithT(t).Expect(r.Verdict).To(Equal(check.Fail))
		NewWithT(t).Expect(r.Cause).To(Equal(want))
	}
}

// A member that is taken from the list and put back is no new one, and what it was taken away for is over.
func TestMembersThatAreListedAgain(t *testing.T) {
	g := NewWithT(t)
	back := func(s *story, slot int) *story {
		return s.member(history.MemberEvent{Op: history.Ready, Slot: slot, PID: s.pids[slot]})
	}
	s := calm().kill(0).retire(1)
	g.Expect(back(s, 1).verify(4).stop().end().metric("pids.turnover")).To(Equal(1.0))

	s = calm().retire(1)
	s.broadly(nil, "restart")
	back(s, 1).wait(time.Minute).exit(1, "restart", history.Exit{Kind: "clean"}).start(1)
	g.Expect(s.verify(4).stop().end().metric("exits.collateral")).To(Equal(1.0))
}

// What a run that was cut short says of the members that died of a deadly task meanwhile is that it was cut short.
func TestPoisonInterrupted(t *testing.T) {
	s := calm().poisoned().exit(1, "", history.Exit{Code: 42, Kind: "crashed", Stderr: "respawn poison: exit 42"}).
		start(1).unconfirmed()
	s.add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmInterrupt, Text: "x"}}).stop()
	s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
	r := s.judge()
	NewWithT(t).Expect(r.Verdict).To(Equal(check.Aborted), r.Cause)
}

// resize is one that is told at once, and seen by the next sample.
func (s *story) resize() *story { return s.begun(nil, "stop") }

// closing is a close that is not settled yet.
func (s *story) closing() *story {
	s.begun(nil, "stop")
	s.events[len(s.events)-1].Fault.Closes = true
	return s
}

// Slots that turn out not to be wanted any more were below what is wanted only if they were empty before that was asked
// for, or together with one that is wanted.
func TestResizeIsNotBelow(t *testing.T) {
	clean := history.Exit{Kind: "clean"}
	fewer := func(s *story) *story { return s.wait(90 * tick).sample(2).done().verify(2).stop().end() }
	for name, c := range map[string]struct {
		story *story
		below float64 // ms
	}{
		"told to be fewer": {
			fewer(calm().kill(0).resize().exit(2, "stop", clean).exit(3, "stop", clean)), 3,
		},
		"empty before": {fewer(calm().kill(0).exit(3, "", clean).wait(50*tick).resize().exit(2, "stop", clean)), 144},
		"empty before the last time": {
			fewer(calm().kill(0).resize().done().sample(4).exit(3, "", clean).wait(50 * tick).resize()), 143,
		},
		"a wanted one is empty, too": {
			fewer(calm().kill(0).resize().exit(3, "stop", clean).exit(1, "", clean).wait(20 * tick).start(1)), 114,
		},
		"a wanted one was empty only": {
			fewer(calm().kill(0).resize().exit(1, "", clean).wait(20*tick).start(1).exit(3, "stop", clean)), 22,
		},
	} {
		NewWithT(t).Expect(c.story.metric("pool.below.max")*1000).To(BeNumerically("~", c.below, 1e-6), name)
	}
}

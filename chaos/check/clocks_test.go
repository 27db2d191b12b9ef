package check_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// metric is one metric of the judged story, NaN-free: -1 stands for no data.
func (s *story) metric(name string) float64 {
	v, ok := s.judge().Metrics[name]
	if !ok {
		return -1
	}
	return v
}

const ms = 0.001

func TestSlotRecoveryIsFromTheDeathToTheAnswerOfTheReplacement(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(2, history.Confirmed, true) // the death is at the settled record
	died := s.now
	s.exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"}).wait(40*tick).start(2).wait(50*tick).probe(2, 1)
	want := (s.now - died).Seconds()
	g.Expect(s.verify(4).stop().end().metric("slot.recovery.max")).To(BeNumerically("~", want, 1e-9))
}

func TestAnswerOfTheVictimItselfIsNoRecovery(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(2, history.Confirmed, true).probe(2, 1).expect("allow slots.silent >= 0")
	s.exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"}).stage(history.Settle).work(0).sample(4).
		stage(history.Verify).sample(4).stop().end()
	g.Expect(s.judge().Metrics).To(HaveKeyWithValue("slot.recovery.max", BeNumerically(">", 1e300)))
}

func TestAnswerOfAProcessThatNeverBecameReadyIsNoRecovery(t *testing.T) {
	g := NewWithT(t)
	s := good()
	s.events = slices.DeleteFunc(s.events, func(e history.Event) bool {
		return e.Member != nil && e.Member.Op == history.Ready && e.Member.PID == 408
	})
	g.Expect(s.metric("slot.recovery.max")).To(BeNumerically(">", 1e300))
}

func TestAnswerOfAnotherSlotsMemberIsNoRecovery(t *testing.T) {
	for name, of := range map[string]func(s *story) int{
		"a sibling":             func(s *story) int { return s.pids[1] },
		"a process from before": func(*story) int { return 399 },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().strike(2, history.Confirmed, true)
			s.exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"}).start(2)
			s.add(history.Event{Probe: &history.Probe{Slot: 2, Op: history.Answered, For: 1, PID: of(s)}})
			s.stage(history.Settle).work(0).sample(4).stage(history.Verify).sample(4).stop().end()
			g.Expect(s.metric("slot.recovery.max")).To(BeNumerically(">", 1e300))
		})
	}
}

func TestMemberThatIsMovedFromAnotherSlotIsNoReplacement(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(2, history.Confirmed, true)
	s.exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	s.pids[2] = s.pids[1]
	s.member(history.MemberEvent{Op: history.Ready, Slot: 2, PID: s.pids[1]}).probe(2, 1)
	g.Expect(s.verify(4).stop().end().metric("slot.recovery.max")).To(BeNumerically(">", 1e300))
}

func TestSuccessorThatWasReadyBeforeItsVictimDiedIsItsReplacement(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	old := s.pids[2]
	s.start(2)
	next := s.pids[2]
	s.pids[2] = old
	s.strike(2, history.Confirmed, true).exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	s.pids[2] = next
	s.probe(2, 1)
	g.Expect(s.verify(4).stop().end().metric("slot.recovery.max")).To(BeNumerically("<", 1))
}

func TestSlotThatNeverHadTheProcessThatAnswersForItIsSilent(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0)
	s.stage(history.Settle).work(0).sample(4).stage(history.Verify)
	for slot := range 3 {
		s.probe(slot, 0)
	}
	s.add(history.Event{Probe: &history.Probe{Slot: 3, Op: history.Answered, PID: 9999}})
	r := s.sample(4).stop().end().judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Cause).To(ContainSubstring("pid 9999, which never was its member"))
}

func TestWhatNoMemberShouldSendFailsEveryRun(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0).member(history.MemberEvent{Op: history.BadAnswer, Slot: -1, Err: "it named a stranger"})
	r := s.verify(4).stop().end().judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Cause).To(ContainSubstring("it named a stranger"))
}

func TestDeathThatIsConfirmedAfterTheRecoveryCounts(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	s.add(history.Event{
		Fault: &history.Fault{N: 1, Op: history.Injected, Victim: &history.Victim{Slot: 2, PID: s.pids[2]}},
	})
	died := s.now
	s.exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"}).start(2)
	whole := s.now
	s.probe(2, 1)
	back := s.now
	s.wait(500*tick).probe(2, 0) // a later answer is not the recovery
	s.add(history.Event{Fault: &history.Fault{
		N: 1, Op: history.Concluded, Outcome: history.Confirmed, Fatal: true, Receipt: &history.Receipt{At: died},
	}})
	s.verify(4).stop().end()
	g.Expect(s.metric("slot.recovery.max")).To(BeNumerically("~", (back - died).Seconds(), 1e-9))
	g.Expect(s.metric("pool.recovery.max")).To(BeNumerically("~", (whole - died).Seconds(), 1e-9))
}

func TestReplacementThatIsKilledTooLeavesBothDeathsToTheNext(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(2, history.Confirmed, true)
	first := s.now
	s.exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"}).start(2).strike(2, history.Confirmed, true)
	second := s.now
	s.exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"}).start(2).probe(2, 1)
	back := s.now
	r := s.verify(4).stop().end().judge()
	g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
	g.Expect(r.Metrics["slot.recovery.max"]).To(BeNumerically("~", (back - first).Seconds(), 1e-9))
	g.Expect(r.Metrics["slot.recovery.min"]).To(BeNumerically("~", (back - second).Seconds(), 1e-9))
	g.Expect(r.Metrics["pids.turnover"]).To(Equal(2.0))
	g.Expect(r.Metrics["exits.replaced"]).To(Equal(2.0))
}

func TestSlotsThatOverlapMakeOneIntervalBelow(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(1, history.Confirmed, true)
	from := s.now
	s.strike(2, history.Confirmed, true)
	for slot := 1; slot <= 2; slot++ {
		s.exit(slot, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	}
	s.wait(100 * tick).start(1).start(2)
	want := (s.now - from).Seconds()
	s.probe(1, 1).probe(2, 2).verify(4).stop().end()
	g.Expect(s.metric("pool.below.count")).To(Equal(1.0))
	g.Expect(s.metric("pool.below.max")).To(BeNumerically("~", want, 1e-9))
	g.Expect(s.metric("pool.below.total")).To(BeNumerically("~", want, 1e-9))
	g.Expect(s.metric("pool.ready.min")).To(Equal(2.0))
	g.Expect(good().metric("pool.ready.min")).To(Equal(3.0))
}

func TestSlotThatIsNotWantedAnyMoreOwesNothing(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0).strike(3, history.Confirmed, true).exit(3, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	r := s.broadly(nil, "stop").sample(2).verify(2).stop().end().judge()
	g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
	g.Expect(r.Metrics["slot.recovery.count"]).To(Equal(1.0))
	g.Expect(r.Metrics["slots.silent"]).To(Equal(0.0))
}

func TestPoolThatGrowsIsBelowUntilTheNewSlotsAreReady(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0).sample(5, func(e *history.Sample) { e.Ready = 4 })
	from := s.now
	s.wait(30 * tick).start(4)
	want := (s.now - from).Seconds()
	s.verify(5).stop().end()
	g.Expect(s.metric("pool.below.max")).To(BeNumerically("~", want, 1e-9))
	g.Expect(s.metric("pids.turnover")).To(Equal(2.0))
	g.Expect(s.metric("exits.replaced")).To(Equal(1.0))
}

func TestTargetWithoutEventsIsJudgedBySamples(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(1, history.Confirmed, true)
	died := s.now
	s.sample(4, func(e *history.Sample) { e.Ready = 3 }).wait(50 * tick)
	s.pids[1] = 500
	s.probe(1, 1).sample(4)
	whole := s.now
	s.h.Target.Can = nil
	s.verify(4).stop().end().expect("allow exits.unexplained >= 0", "allow exits.collateral >= 0")
	s.member(history.MemberEvent{Op: history.Exited, Slot: 1, PID: 402}) // after the end: only so that there is one
	g.Expect(s.metric("slot.recovery.max")).To(BeNumerically("~", (whole - tick - died).Seconds(), 1e-9))
	g.Expect(s.metric("pool.below.max")).To(BeNumerically("~", (whole - died).Seconds(), 1e-9))
}

func TestQuantilesNeedEnoughSamples(t *testing.T) {
	g := NewWithT(t)
	kills := func(n int) map[string]float64 {
		s := calm()
		for i := range n {
			s.strike(1, history.Confirmed, true).exit(1, "", history.Exit{}).start(1).wait(time.Duration(i)*tick).
				probe(1, s.faults)
		}
		return s.verify(4).stop().end().judge().Metrics
	}
	m := kills(100)
	g.Expect(m["slot.recovery.p99"]).To(BeNumerically("~", m["slot.recovery.max"]-ms, 1e-9), "the 99th of 100")
	g.Expect(m["slot.recovery.p50"]).To(BeNumerically("~", m["slot.recovery.min"]+49*ms, 1e-9), "the 50th of 100")
	g.Expect(m["slot.recovery.mean"]).To(BeNumerically("~", m["slot.recovery.min"]+49.5*ms, 1e-9))
	m = kills(99)
	g.Expect(m).NotTo(HaveKey("slot.recovery.p99"))
	g.Expect(m).To(HaveKey("slot.recovery.p95"))
	m = kills(1)
	g.Expect(m).NotTo(HaveKey("slot.recovery.p50"))
	g.Expect(m).To(HaveKey("slot.recovery.max"))
}

func TestPoolThatNeverIsWholeAgain(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	m := s.stage(history.Settle).work(0).sample(4).stage(history.Verify).sample(4).stop().end().judge().Metrics
	for _, name := range []string{"pool.below.max", "pool.below.total", "pool.recovery.max", "slot.recovery.max"} {
		g.Expect(m[name]).To(BeNumerically(">", 1e300), name)
	}
}

func TestWhatIsDownBeforeTheFaultsCountsFromThem(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).boot().stage(history.Steady).sample(4).exit(1, "", history.Exit{}).wait(time.Minute).
		stage(history.Chaos)
	from := s.now
	s.exit(2, "", history.Exit{}).start(2).start(1)
	g.Expect(s.metric("pool.below.max")).To(BeNumerically("~", (s.now - from).Seconds(), 1e-9))
}

func TestShrinkingEndsAnIntervalBelow(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(3, history.Confirmed, true)
	from := s.now
	s.exit(3, "", history.Exit{Code: -1, Signal: "SIGKILL"}).wait(50 * tick).sample(3)
	want := (s.now - from).Seconds()
	s.strike(3, history.Confirmed, true) // confirmed only now that nobody wants the slot any more
	s.wait(time.Minute).verify(3).stop().end()
	g.Expect(s.metric("pool.below.max")).To(BeNumerically("~", want, 1e-9))
	g.Expect(s.metric("slot.recovery.count")).To(BeZero())
}

func TestPoolIsNotWholeAgainBecauseAnotherSlotIs(t *testing.T) {
	g := NewWithT(t)
	s := calm().exit(1, "", history.Exit{})
	died := s.now
	s.start(1) // whole, as far as the target has told
	s.exit(2, "", history.Exit{}).wait(50 * tick).start(2)
	whole := s.now
	s.add(history.Event{Fault: &history.Fault{N: 1, Op: history.Injected, Victim: &history.Victim{Slot: 2, PID: 403}}})
	s.add(history.Event{Fault: &history.Fault{
		N: 1, Op: history.Concluded, Outcome: history.Confirmed, Fatal: true, Receipt: &history.Receipt{At: died},
	}})
	g.Expect(s.metric("pool.recovery.max")).To(BeNumerically("~", (whole - died).Seconds(), 1e-9))
}

// A target that was told to close refuses what comes after, however long it takes: that says nothing of the load
// before.
func TestLoadCountsUntilTheTargetIsToldToClose(t *testing.T) {
	g := NewWithT(t)
	s := newStory(1).boot().stage(history.Steady).sample(1).stage(history.Chaos)
	s.h.Load = &history.Load{Task: "sleep", Concurrency: 1}
	id := s.submit()
	s.wait(time.Second).settle(id, history.OK, "")
	g.Expect(s.metric("load.achieved")).To(BeNumerically(">", 0.9))
	s.sample(0)
	for range 10 {
		id := s.submit()
		s.settle(id, history.Rejected, "closed").wait(time.Second)
	}
	g.Expect(s.metric("load.achieved")).To(BeNumerically(">", 0.9))
}

func TestEachRecoveryIsToldForThoseWhoCompareRuns(t *testing.T) {
	g := NewWithT(t)
	kills := func(n int) check.Result {
		s := calm()
		for i := range n {
			s.strike(1, history.Confirmed, true).exit(1, "", history.Exit{}).start(1).wait(time.Duration(i)*tick).
				probe(1, s.faults)
		}
		s.strike(2, history.Confirmed, true).exit(2, "", history.Exit{})
		return s.stage(history.Settle).work(0).sample(4).stage(history.Verify).sample(4).stop().end().judge()
	}
	r := kills(3)
	g.Expect(r.Metrics["slot.recovery.count"]).To(Equal(4.0))
	g.Expect(r.Recoveries).To(HaveLen(3), "one slot never came back")
	g.Expect(r.Recoveries[0]).To(BeNumerically("~", r.Metrics["slot.recovery.min"], 1e-9))
	g.Expect(slices.IsSorted(r.Recoveries)).To(BeTrue())
	many := kills(2100).Recoveries
	g.Expect(many).To(HaveLen(2000))
	g.Expect(many[1999] - many[0]).To(BeNumerically("~", 2.1, 0.01))
}

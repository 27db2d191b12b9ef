package check_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// answer is a task of the load that ran in one process from now on for so long, and whose answer names another, or the
// same.
func (s *story) answer(ran, named int, took time.Duration) *story {
	id := s.submit()
	start := s.now
	s.wait(took).add(
		history.Event{Task: &history.Task{ID: id, Op: history.Settled, Outcome: history.OK, Latency: took, PID: named}})
	return s.run(id, ran, start, start+took)
}

// probing is a probing task of the target's, which is numbered as the load's are.
func (s *story) probing(n uint64, ran, named int) *story {
	id := 1000 + n
	s.member(history.MemberEvent{Op: history.Probed, Slot: -1, Task: id}).run(id, ran, s.now, s.now+tick).wait(2 * tick)
	return s.member(history.MemberEvent{Op: history.ProbeAnswered, Slot: -1, Task: id, PID: named})
}

// listed is a target whose members come from listings, which are made when the times say so.
func (s *story) listed(at ...history.Listing) *story {
	s.h.Target.Kind = "driver"
	return s.sample(4, func(e *history.Sample) { e.Listings = at })
}

// over ends a run.
func (s *story) over() check.Result { return s.verify(4).stop().end().judge() }

const stranger = 7777

func TestWorkOfAProcessThatIsNoMemberFails(t *testing.T) {
	for name, work := range map[string]func(s *story){
		"of a task":  func(s *story) { s.answer(stranger, stranger, 5*tick) },
		"of a probe": func(s *story) { s.probing(1, stranger, stranger) },
		"of one that had been a member until it died": func(s *story) {
			old := s.pids[1]
			s.kill(1).wait(10*tick).answer(old, old, 5*tick)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0)
			work(s)
			r := s.over()
			g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
			g.Expect(r.Cause).To(ContainSubstring("1 execution of tasks was by processes that are no members"))
		})
	}
}

func TestWorkOfAProcessThatNoListingNamesFailsOnlyIfOneWasMadeMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		asked, answered time.Duration // after the start of the execution
		want            check.Verdict
	}{
		"meanwhile":              {2 * tick, 4 * tick, check.Fail},
		"begun before":           {-2 * tick, 4 * tick, check.Inconclusive},
		"answered after its end": {4 * tick, 12 * tick, check.Inconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0)
			start := s.now + tick
			s.answer(stranger, stranger, 10*tick).
				listed(history.Listing{Asked: start + c.asked, Answered: start + c.answered})
			r := s.over()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			g.Expect(r.Cause).To(ContainSubstring("it ran in process 7777"))
		})
	}
}

// Where the members come from listings, a worker is told of only after its first tasks.
func TestMemberThatIsToldOfLateWasOneBefore(t *testing.T) {
	g := NewWithT(t)
	s := calm().listed().strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	next := s.next + 1
	s.answer(next, next, 5*tick).start(1).probe(1, 1)
	g.Expect(s.over().Verdict).To(Equal(check.Pass))
}

func TestOldHistoryOfADriverHasNoListingsToJudgeBy(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0).listed().answer(stranger, stranger, 5*tick)
	g.Expect(s.over().Verdict).To(Equal(check.Pass))
}

func TestAnswerThatNamesAnotherProcessThanRanTheTaskFails(t *testing.T) {
	for name, work := range map[string]func(s *story){
		"to a task":  func(s *story) { s.answer(s.pids[1], s.pids[2], 5*tick) },
		"to a probe": func(s *story) { s.probing(1, s.pids[1], s.pids[2]) },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0)
			work(s)
			r := s.over()
			g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
			g.Expect(r.Cause).To(ContainSubstring("1 answer names a process that did not run the task"))
		})
	}
}

// A probe is run once, as any task is, unless its first process died in it or has since.
func TestAProbeThatRanTwiceFailsIfNobodyDied(t *testing.T) {
	for name, c := range map[string]struct {
		again func(s *story, id uint64)
		want  check.Verdict
	}{
		"once":               {func(*story, uint64) {}, check.Pass},
		"twice by one":       {func(s *story, id uint64) { s.run(id, s.pids[1], s.now, s.now+tick) }, check.Fail},
		"by another one too": {func(s *story, id uint64) { s.run(id, s.pids[2], s.now, s.now+tick) }, check.Fail},
		"again after its death": {
			func(s *story, id uint64) { s.kill(1).run(id, s.pids[2], s.now, s.now+tick) }, check.Pass,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0)
			s.probing(1, s.pids[1], s.pids[1])
			c.again(s, 1001)
			r := s.wait(2 * tick).over()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want == check.Fail {
				g.Expect(r.Cause).To(ContainSubstring("1001"))
			}
		})
	}
}

func TestTaskThatRanAgainIsAnsweredByTheLastProcess(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	id := s.submit()
	s.run(id, s.pids[1], s.now, 0).kill(1).run(id, s.pids[1], s.now, s.now+tick).wait(2 * tick)
	s.add(history.Event{
		Task: &history.Task{ID: id, Op: history.Settled, Outcome: history.OK, PID: s.pids[1], Attempts: 2},
	})
	g.Expect(s.over().Verdict).To(Equal(check.Pass))
}

func TestProbingTasksAreNoTasksOfTheLoad(t *testing.T) {
	g := NewWithT(t)
	plain, probed := good(), calm()
	for slot := range 4 {
		probed.kill(slot).probing(uint64(slot), probed.pids[slot], probed.pids[slot]).work(slot)
	}
	r := probed.over()
	g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
	for _, name := range []string{
		"tasks.submitted", "tasks.executions.total", "tasks.executions.mean", "tasks.retried", "tasks.duplicated",
	} {
		g.Expect(r.Metrics[name]).To(Equal(plain.judge().Metrics[name]), name)
	}
}

func TestValueThatNobodyComputedFailsUnlessTheWitnessIsTorn(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0)
	s.settle(s.submit(), history.OK, "")
	r := s.over()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	s = calm().kill(0)
	s.settle(s.submit(), history.OK, "").add(history.Event{Note: &history.Note{Text: "torn", Torn: 1}})
	r = s.over()
	g.Expect(r.Verdict).To(Equal(check.Inconclusive), show(r))
	g.Expect(r.Cause).To(HaveSuffix("1 line of the witness is torn"))
}

func TestDeathsBetweenTwoListingsFailWhereTheKernelTells(t *testing.T) {
	for name, c := range map[string]struct {
		exit history.Exit
		want check.Verdict
	}{
		"by a signal":                     {history.Exit{Code: -1, Signal: "SIGKILL"}, check.Fail},
		"a helper that has failed":        {history.Exit{Code: 3}, check.Pass},
		"a helper that has done its work": {history.Exit{}, check.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0).
				member(history.MemberEvent{Op: history.Unlisted, Slot: -1, PID: stranger, Exit: &c.exit})
			s.h.Target.Can = append(s.h.Target.Can, "forks")
			r := s.over()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want == check.Fail {
				g.Expect(r.Cause).To(ContainSubstring(
					"1 process beside the members died before a listing could name it; it is pid 7777"))
			}
		})
	}
}

func TestLongestTimeBetweenTwoListingsIsTold(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0)
	at := s.now
	s.listed(history.Listing{Asked: at, Answered: at + 2*tick},
		history.Listing{Asked: at + 20*tick, Answered: at + 23*tick})
	s.listed(history.Listing{Asked: at + 90*tick, Answered: at + 91*tick})
	g.Expect(s.over().Metrics["members.listing_gap"]).To(BeNumerically("~", (91*tick - 20*tick).Seconds(), 1e-9))
}

// A task cannot have been done in less time than it takes, whoever says that it was.
func TestAnAnswerThatComesSoonerThanItsTaskTakesFails(t *testing.T) {
	for name, c := range map[string]struct {
		takes, took, ran time.Duration // by the submitter's clock, and as witnessed
		want             check.Verdict
	}{
		"sooner":                        {5 * tick, 3 * tick, 5 * tick, check.Fail},
		"by the millisecond of a timer": {5 * tick, 4 * tick, 4 * tick, check.Pass},
		"not known what it takes":       {0, tick, tick, check.Pass},
		"it ran for less":               {5 * tick, 5 * tick, 3 * tick, check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0)
			s.h.Load = &history.Load{Task: "sleep", Takes: c.takes}
			s.answer(s.pids[1], s.pids[1], c.took)
			task := s.task
			s.verify(4).stop().end()
			for _, e := range s.events {
				if e.Run != nil && e.Run.Task == task {
					e.Run.Start = e.Run.End - c.ran
				} else if e.Run != nil {
					e.Run.Start = e.Run.End - 5*tick
				}
			}
			r := s.judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want == check.Fail {
				g.Expect(r.Cause).To(Equal("1 task of 6 gave a value before it can have been done; it is task 5"))
			}
		})
	}
}

func TestAnAnswerThatComesBeforeItsExecutionHasEndedFails(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0)
	id := s.submit()
	start := s.now
	s.add(history.Event{
		Task: &history.Task{ID: id, Op: history.Settled, Outcome: history.OK, Latency: tick, PID: s.pids[1]},
	})
	r := s.wait(2*tick).run(id, s.pids[1], start, start+2*tick).over()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Cause).To(Equal("1 task of 6 gave a value before it can have been done; it is task 5"))
}

func TestATaskThatRanAgainBeforeItsDeathWasToldWasLeftForNoTime(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	id, victim := s.submit(), s.pids[0]
	start := s.now
	again := start + tick/2
	s.kill(0).run(id, victim, start, 0).run(id, s.pids[1], again, again+tick/4).settle(id, history.OK, "")
	r := s.over()
	g.Expect(r.Metrics["tasks.requeue.count"]).To(Equal(1.0))
	g.Expect(r.Metrics["tasks.requeue.max"]).To(BeZero())
}

func TestATaskThatADeathCutShortIsTimedUntilItRunsAgain(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	id, victim := s.submit(), s.pids[0]
	start := s.now
	s.kill(0)
	died := s.now // at the latest
	s.wait(50*tick).run(id, victim, start, 0).run(id, s.pids[1], died+30*tick, died+40*tick).settle(id, history.OK, "")
	r := s.expect("tasks.requeue.max <= 20ms").over()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Metrics["tasks.requeue.count"]).To(Equal(1.0))
	g.Expect(r.Metrics["tasks.requeue.max"]).To(BeNumerically("~", 0.033, 0.003))
}

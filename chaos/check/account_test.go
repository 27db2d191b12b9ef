package check_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

func TestExecutionsAreExcusedByTheDeathsThatCutThemShort(t *testing.T) {
	type runs func(s *story, id uint64)
	for name, c := range map[string]struct {
		runs       runs
		duplicated float64
	}{
		"cut short, then run again": {func(s *story, id uint64) {
			s.run(id, s.pids[1], s.now, 0).kill(1).run(id, s.pids[2], s.now, s.now+tick)
			s.settle(id, history.OK, "")
		}, 0},
		"ended, but died before its result was out": {func(s *story, id uint64) {
			s.run(id, s.pids[1], s.now, s.now+tick).wait(2*tick).kill(1).run(id, s.pids[2], s.now, s.now+tick)
			s.settle(id, history.OK, "")
		}, 0},
		"run again after it was settled": {func(s *story, id uint64) {
			s.run(id, s.pids[1], s.now, s.now+tick).settle(id, history.OK, "")
			s.kill(1).run(id, s.pids[2], s.now, s.now+tick)
		}, 1},
		"one death excuses one execution": {func(s *story, id uint64) {
			s.run(id, s.pids[1], s.now, 0).kill(1).run(id, s.pids[2], s.now, s.now+tick).run(id, s.pids[3],
				s.now, s.now+tick)
			s.settle(id, history.OK, "")
		}, 1},
		"a death before the execution excuses nothing": {func(s *story, id uint64) {
			old := s.pids[1]
			s.kill(1).run(id, old, s.now, s.now+tick) // the number was given out again
			s.run(id, s.pids[2], s.now, s.now+tick).settle(id, history.OK, "")
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0)
			c.runs(s, s.submit())
			g.Expect(s.verify(4).stop().end().metric("tasks.duplicated")).To(Equal(c.duplicated))
		})
	}
}

func TestTasksAreAccountedFor(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0) // 4 tasks ok
	s.settle(s.submit(), history.Hung, "")
	s.settle(s.task, history.OK, "") // it came after all: too late, but once
	s.settle(s.submit(), history.Failed, "x")
	s.settle(s.submit(), history.Rejected, "x")
	s.settle(s.submit(), history.Lost, "x")
	s.settle(s.submit(), history.Wrong, "x").settle(s.task, history.Wrong, "x")
	s.submit()
	m := s.verify(4).stop().end().judge().Metrics // 1 more
	for name, want := range map[string]float64{
		"submitted": 11, "settled": 9, "ok": 5, "hung": 1, "failed": 1, "rejected": 1, "lost": 2, "wrong": 1,
		"duplicated": 1, "executions.total": 5, "executions.max": 1, "executions.mean": 1, "retried": 0,
	} {
		g.Expect(m["tasks."+name]).To(Equal(want), name)
	}
}

// The second answer may be told before the first one is recorded. What a pool itself drops as late is not delivered
// twice, and bears the pool's own number.
func TestAnswersThatComeTwice(t *testing.T) {
	told := func(op history.MemberOp, task uint64) history.MemberEvent {
		return history.MemberEvent{Op: op, Slot: -1, Task: task}
	}
	for name, c := range map[string]struct {
		story            *story
		duplicated, late float64
	}{
		"after the outcome": {calm().member(told(history.AnsweredTwice, 2)), 1, 1},
		"before the outcome": {func() *story {
			s := calm()
			return s.member(told(history.AnsweredTwice, s.submit())).settle(s.task, history.OK, "")
		}(), 1, 1},
		"beside the load":   {calm().member(told(history.AnsweredTwice, 77)), 1, 1},
		"of a probe":        {calm().probing(1, 1000, 1000).member(told(history.AnsweredTwice, 1001)), 1, 1},
		"dropped by a pool": {calm().member(told(history.Late, 2)), 0, 1},
	} {
		m := c.story.kill(0).verify(4).stop().end().judge().Metrics
		NewWithT(t).Expect(m["tasks.duplicated"]).To(Equal(c.duplicated), name)
		NewWithT(t).Expect(m["results.late"]).To(Equal(c.late), name)
	}
	r := calm().member(told(history.AnsweredTwice, 2)).kill(0).verify(4).stop().end().judge()
	NewWithT(t).Expect(r.Cause).To(Equal("1 task of 5 ended twice for their submitter; it is task 2, with 2 outcomes"))

	without := newStory(4)
	without.h.Load = nil
	without.boot().stage(history.Steady).sample(4).stage(history.Chaos).member(told(history.AnsweredTwice, 77)).kill(0).
		stage(history.Settle).sample(4).stage(history.Verify)
	for slot := range 4 {
		without.probe(slot, 0)
	}
	r = without.sample(4).stop().end().judge()
	NewWithT(t).Expect(r.Verdict).To(Equal(check.Fail))
	NewWithT(t).Expect(r.Cause).To(Equal("1 task ended twice for their submitter; it is task 77, with 2 outcomes"))
}

func TestTheFirstTaskOfSeveralIsNamed(t *testing.T) {
	g := NewWithT(t)
	for range 20 { // maps have no order
		s := calm().kill(0)
		for range 5 {
			s.work(1).settle(s.task, history.OK, "")
		}
		g.Expect(s.verify(4).stop().end().judge().Cause).
			To(Equal("5 tasks of 10 ended twice for their submitter; the first is task 5, with 2 outcomes"))
	}
}

func TestRetriesAreCountedWithoutAWitness(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).boot().stage(history.Chaos).sample(4)
	s.h.Target.Can = []string{"events"}
	s.submit()
	s.add(history.Event{Task: &history.Task{ID: s.task, Op: history.Settled, Outcome: history.OK, Attempts: 2}})
	m := s.judge().Metrics
	g.Expect(m["tasks.retried"]).To(Equal(1.0))
	g.Expect(m).NotTo(HaveKey("tasks.executions.max"))
	g.Expect(m).NotTo(HaveKey("tasks.unwitnessed"))
}

func TestThroughputAndLatencyBeforeDuringAndAfter(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).boot().stage(history.Warmup)
	works := func(n int, pause time.Duration) {
		for range n {
			s.work(0).wait(pause)
		}
	}
	works(3, 0)
	s.stage(history.Steady).sample(4)
	works(100, 7*tick) // each takes 3 ms by itself
	s.stage(history.Chaos).sample(4)
	works(50, 17*tick)
	s.stage(history.Settle).sample(4)
	works(20, 7*tick)
	s.wait(time.Minute) // nothing to do: not the target's fault
	m := s.stage(history.Verify).judge().Metrics
	g.Expect(m["tasks.throughput.before"]).To(BeNumerically("~", 100, 2))
	g.Expect(m["tasks.throughput.during"]).To(BeNumerically("~", 50, 2))
	g.Expect(m["tasks.throughput.after"]).To(BeNumerically("~", 100, 6))
	g.Expect(m["tasks.throughput.kept"]).To(BeNumerically("~", 0.5, 0.02))
	g.Expect(m["tasks.latency.count"]).To(Equal(170.0), "the warm-up does not count")
	g.Expect(m["tasks.latency.before.count"]).To(Equal(100.0))
	g.Expect(m["tasks.latency.during.p50"]).To(BeNumerically("~", 5*ms, 1e-9))
}

func TestThroughputOfTheMomentStartsWithTheFirstTask(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).boot()
	live, on := follow(s)
	s.stage(history.Steady).wait(time.Hour)
	for range 50 {
		s.work(0).wait(7 * tick)
	}
	s.sample(4)
	on()
	v, _ := live.Value("tasks.throughput")
	g.Expect(v).To(BeNumerically("~", 100, 3), "half a second of 100 a second, not 50")
	s.wait(10 * time.Second).sample(4)
	on()
	v, n := live.Value("tasks.throughput")
	g.Expect(v).To(BeZero())
	g.Expect(n).To(BeNumerically(">", 0))
}

func TestLoadIsComparedWithWhatIsStated(t *testing.T) {
	for name, c := range map[string]struct {
		load history.Load
		ends history.Outcome // of three tasks of four
		want float64
	}{
		// one task in flight half of the time
		"closed loop":           {history.Load{Concurrency: 2}, history.OK, 0.25},
		"open loop":             {history.Load{Rate: 500}, history.OK, 0.5},
		"count":                 {history.Load{Count: 100}, history.OK, 1},
		"closed loop, rejected": {history.Load{Concurrency: 2}, history.Rejected, 0.25 / 4},
		"open loop, rejected":   {history.Load{Rate: 500}, history.Rejected, 0.5 / 4},
		"count, rejected":       {history.Load{Count: 100}, history.Rejected, 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := newStory(4).boot()
			s.h.Load = &c.load
			s.stage(history.Chaos)
			for i := range 100 {
				id, o := s.submit(), history.OK
				if i%4 > 0 {
					o = c.ends
				}
				s.wait(tick).
					add(history.Event{Task: &history.Task{ID: id, Op: history.Settled, Outcome: o, Latency: 2 * tick}})
				s.wait(tick)
			}
			s.stage(history.Verify)
			g.Expect(s.judge().Metrics["load.achieved"]).To(BeNumerically("~", c.want, 0.01))
		})
	}
}

func TestAbortedRunIsNotJudgedByItsEnd(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	s.submit()
	s.add(history.Event{End: &history.End{Aborted: true}})
	r := s.judge()
	g.Expect(r.Verdict).To(Equal(check.Aborted))
	g.Expect(r.Findings).To(HaveLen(1), show(r))
	g.Expect(r.Metrics["slot.recovery.max"]).To(BeNumerically("~", 0.003, 1e-9), "as long as it was seen")
}

// A task that had not begun when the parent was killed is lost with the parent, and pays for nobody's death.
func TestWhatIsLostWithTheParentIsNoBystander(t *testing.T) {
	for outcome, want := range map[history.FaultOutcome]float64{history.Confirmed: 0, history.Refused: 1} {
		g := NewWithT(t)
		s := calm()
		id := s.submit()
		parent := &history.Victim{Slot: -1, PID: 99}
		for _, op := range []history.FaultOp{history.Planned, history.Injected} {
			s.add(history.Event{Fault: &history.Fault{N: 1, Op: op, Fault: "supervisor KILL", Victim: parent}})
		}
		s.settle(id, history.Lost, "the parent is gone")
		s.add(history.Event{Fault: &history.Fault{
			N: 1, Op: history.Concluded, Outcome: outcome, Fatal: outcome == history.Confirmed, Victim: parent,
			Receipt: &history.Receipt{Tier: "wait status"},
		}})
		g.Expect(s.verify(4).stop().end().judge().Metrics).To(HaveKeyWithValue("blame.bystanders", want), outcome)
	}
}

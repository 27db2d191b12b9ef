package check_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// round is tasks sent to all slots at once, each of which starts so much after the last and lasts as long as it is to.
// slow is how much later the answers come.
func (s *story) round(hold, apart, slow time.Duration) *story {
	sent, ids := s.now, []uint64{}
	for range s.pids {
		s.task++
		ids = append(ids, s.task)
		s.add(history.Event{Probe: &history.Probe{Slot: history.AnySlot, Op: history.Sent, Task: s.task, Hold: hold}})
	}
	for i, id := range ids {
		start := sent + time.Duration(i+1)*tick + time.Duration(i)*apart
		s.run(id, s.pids[i], start, start+hold)
		s.now = max(s.now, start+hold+slow)
		s.add(history.Event{
			Probe: &history.Probe{Slot: history.AnySlot, Op: history.Answered, Task: id, Hold: hold, PID: s.pids[i]},
		})
	}
	return s
}

// lagging is a round before the faults in which so many members take that much longer.
func (s *story) lagging(members int, slow time.Duration) *story {
	pids := s.pids
	s.pids = pids[members:]
	s.round(50*tick, 0, 0)
	s.pids = pids[:members]
	s.round(50*tick, 0, slow)
	s.pids = pids
	return s
}

// lasting is a run of four members before whose end a task is sent to all slots at once, by these rounds.
func lasting(before time.Duration, rounds func(s *story)) *story { return lastingOn(before, 0, rounds) }

// lastingOn is the same on a host that was starved for so long before the faults.
func lastingOn(before, starved time.Duration, rounds func(s *story)) *story {
	return lastingSince(func(s *story) { s.round(50*tick, 0, before).busy(starved) }, rounds)
}

// lastingSince is the same with other rounds before the faults.
func lastingSince(before, rounds func(s *story)) *story {
	s := newStory(4).boot()
	before(s)
	s.stage(history.Steady).work(0).sample(4).stage(history.Chaos).sample(4).kill(1).stage(history.Settle).work(0).
		sample(4).stage(history.Verify)
	for slot := range 4 {
		s.probe(slot, 0)
	}
	rounds(s)
	return s.sample(4).stop().end()
}

const long = 3000 * tick

func TestSlotsThatWorkOneAfterTheOtherFailHoweverOftenTheyAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		rounds func(s *story)
		want   check.Verdict
		cause  string
	}{
		"at once": {func(s *story) { s.round(50*tick, 0, 0) }, check.Pass, ""},
		"at once in the end": {
			func(s *story) { s.round(50*tick, 60*tick, 0).round(800*tick, 10*tick, 0) }, check.Pass, "",
		},
		"one after the other": {
			func(s *story) { s.round(long, long+tick, 0) }, check.Fail,
			"only 1 of 4 slots were at work at the same time",
		},
		"two at a time": {
			func(s *story) { s.round(long, long/2, 0) }, check.Fail,
			"only 2 of 4 slots were at work at the same time",
		},
		"one after the other, but briefly": {
			func(s *story) { s.round(50*tick, 60*tick, 0) }, check.Inconclusive,
			"only 1 of 4 slots were at work at the same time",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := lasting(0, c.rounds).judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			g.Expect(r.Cause).To(ContainSubstring(c.cause))
		})
	}
}

// unwitnessed is the same of a target whose tasks do not record their executions.
func (s *story) unwitnessed() *story {
	s.h.Target.Can = []string{"events", "marker"}
	s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Run != nil })
	return s
}

func TestSlotsThatWorkTogetherWithoutAWitnessAreKnownByTheirAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		apart time.Duration
		want  check.Verdict
	}{"at once": {0, check.Pass}, "one after the other": {long + tick, check.Fail}} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := lasting(0, func(s *story) { s.round(long, c.apart, 0) }).unwitnessed().judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
		})
	}
}

func TestWorkOfStrangersIsNoWorkOfSlots(t *testing.T) {
	g := NewWithT(t)
	r := lasting(0, func(s *story) {
		member := s.pids[2]
		s.pids[2] = stranger
		s.round(long, 0, 0)
		s.pids[2] = member
	}).judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Metrics["slots.together"]).To(Equal(3.0))
	g.Expect(r.Metrics["tasks.outside"]).To(Equal(1.0))
}

// Executions that last for twice as long as their task overlap though their processes may have waited for each other.
// They may have been held up by a starved host, too, if that held up others for so long.
func TestMembersThatWaitForEachOtherAreNotAtWorkTogether(t *testing.T) {
	for name, c := range map[string]struct {
		waits   time.Duration // of two members in each of their tasks
		starved time.Duration // at the end
		late    time.Duration // then
		want    float64
		verdict check.Verdict
	}{
		"no wait":                         {0, 0, 0, 4, check.Pass},
		"half of a task":                  {long / 2, 0, 0, 4, check.Pass},
		"less than a task":                {long - 10*tick, 0, 0, 4, check.Pass},
		"a whole task":                    {long, 0, 0, 2, check.Fail},
		"a whole task on a starved host":  {long, long, long / 4, 2, check.Inconclusive},
		"longer than anybody was held up": {long, long, long / 6, 2, check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := lasting(0, func(s *story) { s.round(long, 0, 0).busy(c.starved) })
			waited := 0
			for i, e := range s.events {
				if e.Run != nil && e.Run.End-e.Run.Start == long && waited < 2 {
					waited++
					s.events[i].Run.Start -= c.waits / 2
					s.events[i].Run.End = s.events[i].Run.Start + long + c.waits
				}
				if e.Host != nil && e.Host.Over == c.starved {
					s.events[i].Host.Late = []time.Duration{c.late}
				}
			}
			g.Expect(waited).To(Equal(2))
			r := s.judge()
			g.Expect(r.Metrics["slots.together"]).To(Equal(c.want), show(r))
			g.Expect(r.Verdict).To(Equal(c.verdict), show(r))
		})
	}
}

// tellOfTheThird has the target tell of the member of slot 2.
func tellOfTheThird(s *story, op history.MemberOp) {
	s.add(history.Event{Member: &history.MemberEvent{Op: op, Slot: 2, Gen: 1, PID: s.pids[2]}})
}

// A process that listings leave out may end what it has. It is at work as a member again once it is listed again.
func TestWhoIsNoLongerListedDoesNotStandInForASlot(t *testing.T) {
	for name, c := range map[string]struct {
		rounds func(s *story)
		want   float64
	}{
		"listed":     {func(s *story) { s.round(long, 0, 0) }, 4},
		"left out":   {func(s *story) { tellOfTheThird(s, history.Retiring); s.wait(second).round(long, 0, 0) }, 3},
		"on its way": {func(s *story) { tellOfTheThird(s, history.Retiring); s.round(long, 0, 0) }, 4},
		"listed again": {
			func(s *story) {
				tellOfTheThird(s, history.Retiring)
				tellOfTheThird(s.wait(second), history.Ready)
				s.round(long, 0, 0)
			}, 4,
		},
		"left out after": {func(s *story) { s.round(long, 0, 0); tellOfTheThird(s, history.Retiring) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := lasting(0, c.rounds).judge()
			g.Expect(r.Metrics["slots.together"]).To(Equal(c.want), show(r))
			g.Expect(r.Metrics["tasks.outside"]).To(BeZero())
			r = lasting(0, c.rounds).unwitnessed().judge()
			g.Expect(r.Metrics["slots.together"]).To(Equal(c.want), show(r))
		})
	}
}

func TestMembersThatTakeFarLongerThanBeforeFail(t *testing.T) {
	for name, c := range map[string]struct {
		before time.Duration
		rounds func(s *story)
		want   check.Verdict
	}{
		"as quick as before":       {2 * tick, func(s *story) { s.round(long, 0, 2*tick) }, check.Pass},
		"slower, within the noise": {2 * tick, func(s *story) { s.round(long, 0, 80*tick) }, check.Pass},
		"far slower":               {2 * tick, func(s *story) { s.round(long, 0, 300*tick) }, check.Fail},
		"far slower on a starved host": {
			2 * tick, func(s *story) { s.round(long, 0, 300*tick).busy(300 * tick) }, check.Inconclusive,
		},
		"as slow before": {300 * tick, func(s *story) { s.round(long, 0, 300*tick) }, check.Pass},
		"far slower at first": {
			2 * tick,
			func(s *story) { s.round(long, 0, 300*tick).round(50*tick, 0, 2*tick) }, check.Pass,
		},
		"far slower, but asked only briefly": {
			2 * tick, func(s *story) { s.round(50*tick, 0, 300*tick) }, check.Inconclusive,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := lasting(c.before, c.rounds).judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want != check.Pass {
				g.Expect(r.Cause).To(ContainSubstring("longer than their tasks at the end"))
			}
		})
	}
}

// Half of the members are what the others are measured by.
func TestAMemberThatWasSlowBeforeTheFaultsIsNoLicenceForTheOthers(t *testing.T) {
	for slow, want := range map[int]check.Verdict{0: check.Fail, 1: check.Fail, 2: check.Fail, 3: check.Pass} {
		r := lastingSince(func(s *story) { s.lagging(slow, 300*tick) },
			func(s *story) { s.round(long, 0, 300*tick) }).judge()
		NewWithT(t).Expect(r.Verdict).To(Equal(want), "%d: %s", slow, show(r))
	}
}

func TestAHostStarvedInPartExcusesNoMemberThatIsSlowAtTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		before, starvedBefore, end, starvedEnd time.Duration
		want                                   check.Verdict
	}{
		"starved before the faults, slow at the end": {
			300 * tick, 300 * tick, 300 * tick, 0, check.Inconclusive,
		},
		"starved before the faults, quick at the end":               {300 * tick, 300 * tick, 80 * tick, 0, check.Pass},
		"starved before the faults, slower than even that explains": {60 * tick, 60 * tick, 500 * tick, 0, check.Fail},
		"starved for a part of the end":                             {2 * tick, 0, 300 * tick, 100 * tick, check.Fail},
		"starved for most of the end": {
			2 * tick, 0, 300 * tick, 250 * tick, check.Inconclusive,
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, hold := range []time.Duration{long, 50 * tick} {
				// asked for long, and only briefly: then nobody is blamed for being slow
				r := lastingOn(c.before, c.starvedBefore,
					func(s *story) { s.round(hold, 0, c.end).busy(c.starvedEnd) }).judge()
				want := c.want
				if hold < long && want == check.Fail {
					want = check.Inconclusive
				}
				NewWithT(t).Expect(r.Verdict).To(Equal(want), show(r))
				NewWithT(t).Expect(r.Starved()).To(Equal(c.want == check.Inconclusive), show(r))
				if c.starvedBefore > 0 && c.want != check.Pass {
					NewWithT(t).Expect(r.Cause).To(ContainSubstring("of which a starved host took"))
				}
			}
		})
	}
}

func TestTasksSentToAllSlotsAtOnceAreNoTasksOfTheLoad(t *testing.T) {
	g := NewWithT(t)
	m := lasting(0, func(s *story) { s.round(50*tick, 0, 0) }).judge().Metrics
	g.Expect(m["tasks.submitted"]).To(Equal(2.0))
	g.Expect(m["tasks.executions.total"]).To(Equal(2.0))
}

func TestProcessesThatComeWithTheFaultsAndStayFail(t *testing.T) {
	for name, c := range map[string]struct {
		before, end int
		want        check.Verdict
	}{
		"none":            {0, 0, check.Pass},
		"as many as ever": {2, 2, check.Pass},
		"fewer":           {2, 1, check.Pass},
		"one more":        {2, 3, check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := leaving(c.before, c.end).judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want == check.Fail {
				g.Expect(r.Cause).
					To(Equal("1 process of the target is left that came with the faults and is no member's"))
			}
		})
	}
}

// leaving is a run of a target that has so many processes beside its members before the faults, and at the end.
func leaving(before, end int) *story {
	others := func(n int) func(*history.Sample) { return func(e *history.Sample) { e.Others = n } }
	s := newStory(4).boot().stage(history.Steady).work(0).sample(4, others(before)).stage(history.Chaos).kill(1).
		stage(history.Settle).work(0).sample(4).stage(history.Verify)
	for slot := range 4 {
		s.probe(slot, 0)
	}
	return s.sample(4, others(end)).stop().end()
}

// What a target starts for good only after a fault is not left behind, if its scenario says how many that may be.
func TestAScenarioMayDeclareHelpers(t *testing.T) {
	g := NewWithT(t)
	const declared = "allow processes.left <= 1"
	rule, err := check.ParseRule(declared)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rule.Fits("expect")).To(Succeed())
	r := leaving(2, 3).expect(declared).judge()
	g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
	r = leaving(2, 4).expect(declared).judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Cause).To(Equal("2 processes of the target are left that came with the faults and are no member's"))
}

// queue is four tasks for each slot, of which so many are run at a time.
func (s *story) queue(atATime int) *story { return s.queueBut(atATime, func(int, *history.Probe) {}) }

// queueBut is one whose answers are changed, each by how many come behind it.
func (s *story) queueBut(atATime int, change func(behind int, p *history.Probe)) *story {
	hold, sent := 25*tick, s.now
	first := s.task + 1
	for range history.Depth * len(s.pids) {
		s.task++
		s.add(history.Event{Probe: &history.Probe{Slot: history.InQueue, Op: history.Sent, Task: s.task, Hold: hold}})
	}
	for i := range history.Depth * len(s.pids) {
		id, pid := first+uint64(i), s.pids[i%atATime%len(s.pids)]
		start := sent + time.Duration(i/atATime)*hold
		s.run(id, pid, start, start+hold)
		s.now = max(s.now, start+hold)
		p := &history.Probe{Slot: history.InQueue, Op: history.Answered, Task: id, Hold: hold, PID: pid}
		change(history.Depth*len(s.pids)-1-i, p)
		s.add(history.Event{Probe: p})
	}
	return s
}

// queued is a run of four members, with queues before the faults and at the end.
func queued(before, end func(s *story)) *story {
	s := newStory(4).boot().round(50*tick, 0, 0)
	before(s)
	s.stage(history.Steady).work(0).sample(4).stage(history.Chaos).sample(4).kill(1).stage(history.Settle).work(0).
		sample(4).stage(history.Verify)
	for slot := range 4 {
		s.probe(slot, 0)
	}
	s.round(50*tick, 0, 0)
	end(s)
	return s.sample(4).stop().end()
}

func TestATargetWithLessThanHalfOfItsThroughputFails(t *testing.T) {
	atATime := func(n int) func(*story) { return func(s *story) { s.queue(n) } }
	again := func(s *story) {
		for began := s.now; s.now-began < history.Patience(4); {
			s.queue(1)
		}
	}
	starved := func(did func(*story)) func(*story) {
		return func(s *story) { began := s.now; did(s); s.busy(s.now - began) }
	}
	late := func(s *story) {
		s.queueBut(4, func(behind int, _ *history.Probe) {
			if behind == 0 {
				s.now += 2 * second
			}
		})
	}
	starvedButForTheLast := func(s *story) {
		began := s.now
		s.queueBut(1, func(behind int, _ *history.Probe) {
			if behind == 0 {
				s.busy(s.now - began).wait(2 * second).idle(2 * second)
			}
		})
	}
	failing := func(n int) func(*story) {
		return func(s *story) {
			s.queueBut(4, func(behind int, p *history.Probe) {
				if behind < n {
					p.Op, p.Err = history.NoAnswer, "failed: not yet"
				}
			})
		}
	}
	for name, c := range map[string]struct {
		before, end func(s *story)
		want        check.Verdict
		because     string
	}{
		"as quick as before":  {atATime(4), atATime(4), check.Pass, ""},
		"half as quick":       {atATime(4), atATime(2), check.Pass, ""},
		"a quarter, for long": {atATime(4), again, check.Fail, "3.8: the target has 26%"},
		"a quarter, asked only briefly": {
			atATime(4), atATime(1), check.Inconclusive, "3.8: the target has 26%",
		},
		"a quarter, and then as quick as before": {
			atATime(4), func(s *story) { s.queue(1).queue(4) }, check.Pass, "",
		},
		"a quarter, on a starved host": {
			atATime(4), starved(again), check.Inconclusive, "3.8: the target has 26%",
		},
		"a quarter, as before": {atATime(1), again, check.Pass, ""},
		"a quarter, and before one that came late": {
			late, again, check.Fail, "3.7, by the first of the answers: the target has 27%",
		},
		"a quarter, and before nearly half of the answers": {
			failing(9), again, check.Fail, "0.0, since less than half of the tasks were answered",
		},
		"a quarter, and before half of the answers": {
			failing(8), again, check.Fail, "3.6, by the first of the answers: the target has 28%",
		},
		"three quarters, and before no answer to a queue": {failing(16), atATime(3), check.Pass, ""},
		"a quarter, and before nobody knows": {
			starved(atATime(1)), again, check.Inconclusive,
			"1.0, on a host that was starved all the time; but",
		},
		"a quarter, and before nobody knows but of one that came late": {
			starvedButForTheLast, again, check.Inconclusive, "1.0, on a host that was starved all the time; but",
		},
		"three quarters, and before nobody knows": {starved(atATime(1)), atATime(3), check.Pass, ""},
		"a quarter, and before on a busy host": {
			starved(atATime(4)), again, check.Fail, "3.8, on a host that was starved all the time: the target has 26%",
		},
		"a quarter, and before starved at first": {
			func(s *story) { starved(atATime(1))(s); s.wait(20 * tick).queue(4) }, again, check.Fail,
			"3.8: the target has 26%",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := queued(c.before, c.end).judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want != check.Pass {
				g.Expect(r.Cause).To(ContainSubstring(
					"a queue of tasks was done 1.0 at a time at the end, at best; before the faults " + c.because))
			}
		})
	}
}

// Members that run two tasks at a time do eight with four of them: three at the end are less than half, though of four
// they were more.
func TestTheThroughputOfMembersThatRunSeveralTasksIsThatOfAllTheyRun(t *testing.T) {
	for places, want := range map[int]check.Verdict{2: check.Fail, 0: check.Pass} {
		g := NewWithT(t)
		s := queued(func(s *story) { s.queue(8) }, func(s *story) {
			for began := s.now; s.now-began < history.Patience(4); {
				s.queue(3)
			}
		})
		s.h.Target.Places = places
		r := s.judge()
		g.Expect(r.Verdict).To(Equal(want), show(r))
	}
}

func TestNoProcessRunsTwoTasksAtOnceThatDidNotBeforeTheFaults(t *testing.T) {
	task := uint64(900)
	two := func(s *story) {
		s.run(task, s.pids[0], s.now, s.now+10*tick)
		s.run(task+1, s.pids[0], s.now+5*tick, s.now+15*tick)
		task += 2
	}
	for name, c := range map[string]struct {
		before func(s *story)
		end    func(s *story)
		want   check.Verdict
	}{
		"one after the other":   {func(*story) {}, func(*story) {}, check.Pass},
		"two at once":           {func(*story) {}, two, check.Fail},
		"two at once, as ever":  {two, two, check.Pass},
		"two before the faults": {two, func(*story) {}, check.Pass},
		"one that ends as two does": {
			func(*story) {},
			func(s *story) { s.run(900, s.pids[0], s.now, s.now+tick).run(901, s.pids[0], s.now+tick, s.now+2*tick) },
			check.Pass,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := newStory(4).boot().queue(4)
			c.before(s)
			s.now += 20 * tick
			s.stage(history.Steady).work(0).sample(4).stage(history.Chaos).sample(4).kill(1)
			c.end(s)
			s.now += 20 * tick
			s.stage(history.Settle).work(0).sample(4).stage(history.Verify)
			for slot := range 4 {
				s.probe(slot, 0)
			}
			r := s.round(50*tick, 0, 0).queue(4).sample(4).stop().end().judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want == check.Fail {
				g.Expect(r.Cause).To(ContainSubstring(
					"began while another went on in the same process, which none did before the faults"))
			}
		})
	}
}

func TestAnExecutionThatEndsAfterItsProcessIsNobodysWork(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).boot().stage(history.Steady).work(0).sample(4).stage(history.Chaos).sample(4)
	dead, at := s.pids[1], s.now
	s.kill(1)
	s.run(900, dead, at, s.now+100*tick)
	s.now += 100 * tick
	s.stage(history.Settle).work(0).sample(4).stage(history.Verify)
	for slot := range 4 {
		s.probe(slot, 0)
	}
	r := s.sample(4).stop().end().judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Metrics["tasks.outside"]).To(Equal(1.0))
	g.Expect(r.Cause).To(ContainSubstring("it ended after its process"))
}

// atWork has members take tasks of 20 ms for so long, so many of them at once.
func (s *story) atWork(members, rounds int) *story {
	for range rounds {
		start, ids := s.now, []uint64{}
		for range members {
			ids = append(ids, s.submit())
		}
		s.wait(20 * tick)
		for i, id := range ids {
			s.settle(id, history.OK, "").run(id, s.pids[i], start+time.Duration(i)*tick, s.now-tick)
		}
	}
	return s
}

// underLoad is a run of four members up to a recovery, under a load of so many tasks at a time.
func underLoad(concurrency int) *story {
	s := newStory(4).boot().stage(history.Steady).work(0).sample(4).stage(history.Chaos).sample(4)
	s.h.Load = &history.Load{Task: "sleep", Concurrency: concurrency, Takes: 20 * tick}
	s.strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"})
	s.atWork(1, 10) // while it is to be recovered from
	return s.start(1).probe(1, s.faults)
}

// On a host that leaves the target no time nobody knows how many could have been at work.
func TestFewSlotsAtWorkBetweenTwoFaultsOnAStarvedHostProveNothing(t *testing.T) {
	for name, c := range map[string]struct {
		rounds  int // of 20 ms, between two faults
		starved float64
		at      int
		want    check.Verdict
	}{
		"calm":                    {10, 0, 1, check.Fail},
		"starved":                 {10, 1, 1, check.Inconclusive},
		"starved a little":        {10, 0.3, 1, check.Fail},
		"starved, and yet":        {10, 1, 4, check.Pass},
		"starved for a long time": {60, 1, 1, check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			s := underLoad(4)
			from := s.idle(s.now).now
			s.atWork(c.at, c.rounds)
			long := s.now - from
			starved := time.Duration(c.starved * float64(long))
			if starved < long {
				s.idle(long - starved)
			}
			if starved > 0 {
				s.busy(starved)
			}
			r := s.kill(2).atWork(4, 10).verify(4).stop().end().expect("slots.together.between >= 3",
				"allow tasks.early >= 0").judge()
			g := NewWithT(t)
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want != check.Pass {
				g.Expect(r.Cause).To(HavePrefix("slots.together.between is 1, not >= 3"))
			}
		})
	}
}

// Capacity that is lost at a death and is back at the end shows between the faults.
func TestSlotsAtWorkAtOnceBetweenTwoFaultsAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		between, after, rounds int
		concurrency            int
		want                   any
	}{
		"all of them":                         {4, 4, 10, 4, 4.0},
		"fewer until the end":                 {1, 4, 10, 4, 1.0},
		"fewer after the last":                {4, 3, 10, 4, 3.0},
		"for less time than one can ask for":  {1, 4, 2, 4, 4.0},
		"under a load that leaves slots idle": {1, 1, 10, 3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := underLoad(c.concurrency)
			s.atWork(c.between, c.rounds)
			s.kill(2).atWork(c.after, 10)
			m := s.verify(4).stop().end().judge().Metrics
			if c.want == nil {
				g.Expect(m).NotTo(HaveKey("slots.together.between"))
			} else {
				g.Expect(m).To(HaveKeyWithValue("slots.together.between", c.want))
			}
		})
	}
}

// A process that listings leave out works for no slot between two faults either, but to end what it has.
func TestWhoIsNoLongerListedDoesNotStandInForASlotBetweenTwoFaults(t *testing.T) {
	for name, c := range map[string]struct {
		tells []history.MemberOp
		wait  time.Duration
		want  float64
	}{
		"listed":       {nil, second, 4},
		"on its way":   {[]history.MemberOp{history.Retiring}, 0, 4},
		"left out":     {[]history.MemberOp{history.Retiring}, second, 3},
		"listed again": {[]history.MemberOp{history.Retiring, history.Ready}, second, 4},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := underLoad(4)
			for _, op := range c.tells {
				tellOfTheThird(s, op)
			}
			s.wait(c.wait).atWork(4, 10).kill(3)
			m := s.verify(4).stop().end().judge().Metrics
			g.Expect(m).To(HaveKeyWithValue("slots.together.between", c.want))
		})
	}
}

// inPairs has the four members tell that they run tasks of 20 ms, of which one of each pair waits for the other.
func (s *story) inPairs(rounds int) *story {
	for range rounds {
		start, ids := s.now, []uint64{}
		for range 4 {
			ids = append(ids, s.submit())
		}
		s.wait(42 * tick)
		for i, id := range ids {
			s.settle(id, history.OK, "").run(id, s.pids[i], start+tick, start+time.Duration(21+20*(i%2))*tick)
		}
	}
	return s
}

// Who waits for another within what it tells as running is not at work, unless the host was starved meanwhile.
func TestMembersThatWaitForEachOtherAreNotAtWorkAtOnceBetweenTwoFaults(t *testing.T) {
	for name, c := range map[string]struct {
		starved bool
		takes   time.Duration
		want    check.Verdict
	}{
		"calm":                       {false, 20 * tick, check.Fail},
		"starved":                    {true, 20 * tick, check.Inconclusive},
		"tasks of an unknown length": {false, 0, check.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := underLoad(4)
			s.h.Load.Takes = c.takes
			from := s.idle(s.now).now
			s.inPairs(20)
			if c.starved {
				s.busy(s.now - from)
			}
			r := s.kill(2).atWork(4, 10).verify(4).stop().end().expect("slots.together.between >= 3",
				"allow tasks.early >= 0").judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want != check.Pass {
				g.Expect(r.Cause).To(HavePrefix("slots.together.between is 2, not >= 3"))
			}
		})
	}
}

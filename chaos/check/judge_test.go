package check_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// show is the result for the message of an assertion that fails.
func show(r check.Result) func() string {
	return func() string {
		r.Metrics = nil
		r.Thresholds = slices.DeleteFunc(r.Thresholds, func(t check.Threshold) bool { return t.OK })
		b, err := json.MarshalIndent(r, "", " ")
		return string(b) + fmt.Sprint(err)
	}
}

func TestGoodRunPasses(t *testing.T) {
	g := NewWithT(t)
	r := good().expect("slot.recovery.max <= 250ms", "pids.turnover == exits.replaced", "pids.turnover == 4").
		rules("steady", "pool.ready == 4").rules("abort", "pool.ready < 1 for 5s").judge()
	g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
	g.Expect(r.Cause).To(Equal("4 faults confirmed, all 9 tasks gave their values, every slot back within 4ms"))
	g.Expect(r.Findings).To(BeEmpty())
	for _, th := range r.Thresholds {
		g.Expect(th.OK).To(BeTrue(), th.Text)
		g.Expect(th.NoData).To(BeFalse(), th.Text)
		g.Expect(th.Samples).To(BeNumerically(">", 0), th.Text)
	}
}

// each case is the good run with one thing wrong.
var cases = map[string]struct {
	story   func() *story
	verdict check.Verdict
	cause   string
}{
	// The target broke a promise.
	"a task is lost": {func() *story {
		s := calm().kill(0)
		return s.settle(s.submit(), history.Lost, "worker lost: SIGKILL").run(s.task, 401, 0, 0).verify(4).stop().end()
	}, check.Fail, "1 task of 6 was lost; it is task 5 (worker lost: SIGKILL)"},
	"a task is never heard of": {func() *story {
		s := calm().kill(0)
		s.submit()
		return s.verify(4).stop().end()
	}, check.Fail, "1 task of 6 was lost; it is task 5 (it was submitted and never heard of again)"},
	"tasks hang": {func() *story {
		s := calm().kill(0)
		s.settle(s.submit(), history.Hung, "")
		s.settle(s.submit(), history.Hung, "")
		return s.verify(4).stop().end()
	}, check.Fail, "2 tasks of 7 had no outcome by the end; the first is task 5"},
	"a task fails": {func() *story {
		s := calm().kill(0)
		return s.settle(s.submit(), history.Failed, "broken pool").verify(4).stop().end()
	}, check.Fail, "1 task of 6 failed; it is task 5 (broken pool)"},
	"a task gives a wrong value": {func() *story {
		s := calm().kill(0)
		return s.settle(s.submit(), history.Wrong, "48, not 49").verify(4).stop().end()
	}, check.Fail, "1 task of 6 gave a wrong value; it is task 5 (48, not 49)"},
	"a task settles twice": {func() *story {
		s := calm().kill(0).work(1)
		return s.settle(s.task, history.OK, "").verify(4).stop().end()
	}, check.Fail, "1 task of 6 ended twice for their submitter; it is task 5, with 2 outcomes"},
	"a finished task is run again": {func() *story {
		s := calm().work(0).kill(0)
		return s.run(s.task, s.pids[1], s.now, s.now+tick).verify(4).stop().end()
	}, check.Fail, "1 task of 6 was run twice; it is task 5, run by pid 401 and pid 402"},
	"a task is run twice at once": {func() *story {
		s := calm().kill(0)
		id := s.submit()
		s.run(id, s.pids[1], s.now, s.now+tick).run(id, s.pids[2], s.now, s.now+tick)
		return s.settle(id, history.OK, "").verify(4).stop().end()
	}, check.Fail, "1 task of 6 was run twice; it is task 5, run by pid 402 and pid 403"},
	"a member dies of itself": {func() *story {
		return calm().kill(0).wait(time.Minute).exit(1, "", history.Exit{Code: -1, Signal: "SIGSEGV"}).start(1).
			verify(4).stop().end()
	}, check.Fail, "1 member died though nobody caused it; it is slot 1, pid 402: SIGSEGV"},
	"a refused fault explains nothing": {func() *story {
		return calm().kill(0).strike(1, history.Refused, false).wait(time.Minute).exit(1, "", history.Exit{Code: 3}).
			start(1).verify(4).stop().end()
	}, check.Fail, "1 member died though nobody caused it; it is slot 1, pid 402: exit code 3"},
	"a fault explains only one death of its pid": {func() *story {
		s := calm().kill(0).wait(time.Minute)
		s.pids[1] = 401 // the number of the victim is given out again
		return s.member(history.MemberEvent{Op: history.Started, Slot: 1, PID: 401}).wait(time.Minute).
			exit(1, "", history.Exit{Code: 3}).start(1).verify(4).stop().end()
	}, check.Fail, "1 member died though nobody caused it; it is slot 1, pid 401: exit code 3"},
	"a survivor is restarted": {func() *story {
		return calm().kill(0).wait(time.Minute).exit(1, "restart", history.Exit{Code: 0}).start(1).verify(4).
			stop().end()
	}, check.Fail, `1 member that no fault was aimed at was ended by the target; it is slot 1, pid 402: exit code 0, for the reason "restart"`},
	"a bystander pays": {func() *story {
		s := calm()
		s.settle(s.submit(), history.Lost, "worker lost")
		s.run(s.task, s.pids[1], s.now-tick, s.now)
		return s.kill(0).verify(4).stop().end()
	}, check.Fail, "1 task paid for the death of a member that it did not cause; it is task 5 (it was given up as " +
		"lost, though no death cut an execution of it short)"},
	"a slot does not answer": {func() *story {
		s := calm().kill(0).stage(history.Settle).work(0).sample(4).stage(history.Verify)
		return s.probe(0, 0).probe(1, 0).probe(2, 0).sample(4).stop().end()
	}, check.Fail, "1 of 4 slots does not answer at the end: slot 3"},
	"a pool lies about its size": {func() *story {
		s := calm().kill(0).stage(history.Settle).work(0).sample(4).stage(history.Verify).probe(0, 0).probe(1, 0)
		return s.sample(4, func(e *history.Sample) { e.Alive = 2 }).stop().end()
	}, check.Fail, "2 of 4 slots do not answer at the end: slots 2 and 3; the target says that 4 members are ready, " +
		"/proc shows 2 alive"},
	"one process answers for two slots": {
		func() *story {
			s := calm().kill(0).stage(history.Settle).work(0).sample(4).stage(history.Verify).probe(0, 0).
				probe(1, 0).probe(2, 0)
			s.pids[3] = s.pids[2]
			return s.probe(3, 0).sample(4).stop().end()
		}, check.Fail,
		"1 of 4 slots does not answer at the end: slot 3 was answered for by pid 403, which never was its member",
	},
	"orphans are left": {func() *story {
		return calm().kill(0).verify(4).stage(history.Stop).sample(0, func(e *history.Sample) { e.Orphans = 2 }).end()
	}, check.Fail, "2 processes of the target are left that are no member's"},
	"zombies are left": {func() *story {
		return calm().kill(0).verify(4).sample(4, func(e *history.Sample) { e.Zombies = 1 }).stop().end()
	}, check.Fail, "1 zombie that nobody reaped is left at the end"},
	"cgroups are left": {func() *story {
		return calm().kill(0).verify(4).stage(history.Stop).sample(0, func(e *history.Sample) { e.Cgroups = 3 }).end()
	}, check.Fail, "3 cgroups of the target are left at the end"},
	"cgroups pile up": {func() *story {
		return calm().kill(0).verify(4).sample(4, func(e *history.Sample) { e.Cgroups = 5 }).end()
	}, check.Fail, "1 cgroup of the target is left at the end"},
	"a slot never comes back": {func() *story {
		s := good().expect("slot.recovery.max <= 250ms")
		s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Probe != nil && e.Probe.For == 4 })
		s.events = slices.DeleteFunc(s.events,
			func(e history.Event) bool { return e.Probe != nil && e.Probe.Slot == 3 })
		return s.expect("allow slots.silent >= 0", "allow slots.lost >= 0")
	}, check.Fail, "slot.recovery.max is never, not <= 250ms (4 samples); the worst is after injection 4 (signal " +
		"KILL on slot 3, pid 404)"},
	"a slot never comes back, and nothing is expected of it": {func() *story {
		s := good()
		s.events = slices.DeleteFunc(s.events,
			func(e history.Event) bool { return e.Probe != nil && e.Probe.Slot == 3 })
		return s.expect("allow slots.silent >= 0")
	}, check.Fail, "1 slot did not come back; the first is after injection 4 (signal KILL on slot 3, pid 404)"},
	"a dead process answers": {
		func() *story {
			s := calm()
			s.h.Target.Can = []string{"witness", "marker"}
			alive := func(e *history.Sample) { e.Alive = 3 }
			s.strike(1, history.Confirmed, true).probe(1, 1).sample(4, alive).stage(history.Settle).work(0).sample(4).
				stage(history.Verify)
			for slot := range 4 {
				s.probe(slot, 0)
			}
			return s.sample(4, alive).stop().end()
		}, check.Fail,
		"1 of 4 slots does not answer at the end: slot 1 was answered for by pid 402, which had been ended before; " +
			"the target says that 4 members are ready, /proc shows 3 alive",
	},
	"nobody comes back after the parent": {func() *story {
		s := calm()
		s.faults++
		v := &history.Victim{Slot: -1, PID: 300}
		s.add(history.Event{Fault: &history.Fault{N: 1, Op: history.Injected, Victim: v}})
		s.add(history.Event{Fault: &history.Fault{
			N: 1, Op: history.Concluded, Outcome: history.Confirmed, Fatal: true, Victim: v,
			Receipt: &history.Receipt{At: s.now},
		}})
		dead := func(e *history.Sample) { e.Alive = 0 }
		s.stage(history.Settle).sample(4, dead).stage(history.Verify).
			add(history.Event{Probe: &history.Probe{Op: history.NoAnswer, Err: "the parent is gone"}})
		return s.sample(4, dead).stop().end().expect("allow slots.silent >= 0")
	}, check.Pass, "1 fault confirmed, all 4 tasks gave their values"},
	"some faults only the target has seen": {func() *story {
		return calm().kill(0).told().verify(4).stop().end()
	}, check.Pass, "2 faults confirmed, 1 of them by the target's word alone, all 5 tasks gave their values, every " +
		"slot back within 4ms"},
	"nobody but the target has seen the fault": {func() *story {
		return calm().told().verify(4).stop().end()
	}, check.Pass, "1 fault confirmed by the target's word alone, all 5 tasks gave their values"},
	"the size does not come back": {func() *story {
		s := calm()
		s.h.Target.Can = []string{"witness", "marker"}
		alive := func(e *history.Sample) { e.Alive = 3 }
		s.kill(1).stage(history.Settle).work(0).sample(4, alive).stage(history.Verify)
		for slot := range 4 {
			s.probe(slot, 0)
		}
		return s.sample(4, alive).stop().end()
	}, check.Fail, "1 of 4 members was not back when the faults were over; the target says that 4 members are ready, " +
		"/proc shows 3 alive"},
	"too slow": {func() *story {
		s := calm().strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"}).
			wait(time.Second)
		return s.start(1).probe(1, 1).verify(4).stop().end().expect("slot.recovery.max <= 3x floor.respawn")
	}, check.Fail, "slot.recovery.max is 1s, not <= 3x floor.respawn (18ms); the worst is after injection 1 (signal " +
		"KILL on slot 1, pid 402)"},
	"an expectation fails": {
		func() *story { return good().expect("pids.turnover == 3") }, check.Fail,
		"pids.turnover is 4, not == 3 (20 samples)",
	},
	"two metrics differ": {
		func() *story { return good().expect("pids.turnover == tasks.ok") }, check.Fail,
		"pids.turnover is 4, not == tasks.ok (9) (9 samples)",
	},
	"not steady again": {func() *story {
		s := calm().kill(0).stage(history.Settle).work(0).sample(4, func(e *history.Sample) { e.Ready = 3 }).
			stage(history.Verify)
		for slot := range 4 {
			s.probe(slot, 0)
		}
		return s.sample(4, func(e *history.Sample) { e.Ready = 3 }).stop().end().rules("steady", "pool.ready == 4").
			expect("allow pool.missing >= 0")
	}, check.Fail, "the target did not get back to its steady state: pool.ready is 3, not == 4"},
	"an abort condition held": {func() *story {
		s := calm().sample(4, func(e *history.Sample) { e.Ready = 0 }).wait(5 * time.Second)
		s.sample(4, func(e *history.Sample) { e.Ready = 0 })
		s.add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmAbort, Rule: "pool.ready < 1 for 5s"}})
		s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
		return s.rules("abort", "pool.ready < 1 for 5s")
	}, check.Fail, "the abort condition pool.ready < 1 for 5s held: pool.ready is 0"},
	"an abort condition held unseen": {func() *story {
		s := calm().add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmAbort, Rule: "tasks.failed > 3"}})
		return s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
	}, check.Fail, "the abort condition tasks.failed > 3 held"},

	"a task hangs, and was given up": {func() *story {
		s := calm().kill(0)
		s.settle(s.submit(), history.Hung, "context canceled")
		return s.verify(4).stop().end()
	}, check.Fail, "1 task of 6 had no outcome by the end; it is task 5"},
	"a process runs its task again": {func() *story {
		s := calm().work(0).kill(0)
		return s.run(s.task, 401, s.now, s.now+tick).verify(4).stop().end().expect("allow tasks.outside >= 0")
	}, check.Fail, "1 task of 6 was run twice; it is task 5, run by pid 401 each time"},
	"an initializer fails": {
		func() *story {
			s := calm().kill(0).wait(time.Minute).exit(1, "recycle", history.Exit{Kind: "clean"})
			for pid := 901; pid < 904; pid++ {
				s.member(history.MemberEvent{Op: history.Started, Slot: 1, PID: pid})
				s.member(history.MemberEvent{
					Op: history.Exited, Slot: 1, PID: pid,
					Exit: &history.Exit{Code: 1, Stderr: "starting\nlicense server: no seats left\n\n"},
				})
				s.member(history.MemberEvent{Op: history.BootFailed, Slot: 1, PID: pid})
			}
			return s.start(1).verify(4).stop().end().expect("allow exits.collateral >= 0")
		}, check.Fail,
		"3 members did not come up; the first is slot 1, pid 901: exit code 1 (license server: no seats left)",
	},
	"a member panics": {func() *story {
		return calm().kill(0).wait(time.Minute).exit(1, "", history.Exit{
			Code: 2, Stderr: "panic: oh no\n\ngoroutine 1 [running]:\nexit status 2\n",
		}).start(1).verify(4).stop().end()
	}, check.Fail, "1 member died though nobody caused it; it is slot 1, pid 402: exit code 2 (panic: oh no)"},
	"the target does not end": {func() *story {
		return calm().kill(0).verify(4).stage(history.Stop).
			sample(0, func(e *history.Sample) { e.Orphans, e.Left = 5, 5 }).end()
	}, check.Fail, "5 processes of the target ran on after it was told to end, and were ended by the harness"},
	"too slow for any quantile": {func() *story {
		s := calm()
		for range 9 {
			s.strike(1, history.Confirmed, true).exit(1, "", history.Exit{}).wait(1500*tick).start(1).probe(1, s.faults)
		}
		return s.verify(4).stop().end().expect("slot.recovery.p90 <= 500ms")
	}, check.Fail, "slot.recovery.p90 cannot be <= 500ms: of the 10 samples that it needs there are 9, from 1.5s to " +
		"1.5s; the worst is after injection 1 (signal KILL on slot 1, pid 402)"},
	"too fast for any quantile": {func() *story {
		return good().expect("slot.recovery.p50 <= 250ms", "slot.recovery.p90 >= 1s").expect("slot.recovery.p99 >= 1h")
	}, check.Inconclusive, "slot.recovery.p90 >= 1s cannot be judged: a p90 needs 10 samples, there are 4"},

	// It proved nothing.
	"nothing confirmed comes before what was expected of it": {func() *story {
		return calm().strike(0, history.Refused, false).verify(4).stop().end().expect("slot.recovery.max <= 1s")
	}, check.Inconclusive, "no fault was confirmed: 1 refused"},
	"an abort condition on what nobody could know": {func() *story {
		return calm().strike(0, history.Confirmed, false).verify(4).stop().end().rules("abort",
			"slot.recovery.max > 5s")
	}, check.Inconclusive, "the abort condition slot.recovery.max > 5s had no data in chaos or settle: there is no " +
		"data for slot.recovery.max"},
	"an abort condition that nobody looked at": {
		func() *story {
			s := newStory(1).boot().stage(history.Steady).work(0).sample(1).stage(history.Chaos).work(0).kill(0)
			return s.stage(history.Settle).work(0).stage(history.Verify).probe(0,
				0).sample(1).stop().end().rules("abort",
				"pool.ready < 1 for 5s")
		}, check.Inconclusive,
		"the abort condition pool.ready < 1 for 5s was never looked at: no sample was taken in chaos or settle",
	},
	"without a fault, what was expected of it proves nothing": {func() *story {
		return calm().strike(0, history.Missed, false).verify(4).stop().end().expect("pids.turnover == 1")
	}, check.Inconclusive, "no fault was confirmed: 1 missed"},
	"without a fault, a promise is one all the same": {func() *story {
		s := calm().strike(0, history.Missed, false)
		return s.settle(s.submit(), history.Failed, "broken").verify(4).stop().end().expect("tasks.failed == 0")
	}, check.Fail, "1 task of 6 failed; it is task 5 (broken)"},
	"no fault was confirmed": {func() *story {
		return calm().strike(1, history.Refused, false).strike(1, history.Missed, false).verify(4).stop().end()
	}, check.Inconclusive, "no fault was confirmed: 1 refused, 1 missed"},
	"too few were": {func() *story {
		s := good()
		s.h.Nemesis[0].Require = 40
		return s
	}, check.Inconclusive, "only 4 of at least 40 faults were confirmed"},
	"one entry of the list did nothing": {func() *story {
		s := good()
		s.h.Nemesis = append(s.h.Nemesis, history.Nemesis{Fault: "oom"})
		return s
	}, check.Inconclusive, "only 0 of at least 1 faults were confirmed"},
	"neither faults nor expectations": {func() *story {
		s := calm().verify(4).stop().end()
		s.h.Nemesis = nil
		return s
	}, check.Inconclusive, "the scenario has neither faults nor expectations: the run proves nothing"},
	"nothing is done to it, and it does nothing": {func() *story {
		s := newStory(2).boot().stage(history.Steady).sample(2).stage(history.Chaos).sample(2).stage(history.Settle).
			sample(2).stage(history.Verify)
		s.h.Load, s.h.Nemesis = nil, nil
		return s.probe(0, 0).probe(1, 0).sample(2).stop().end().expect("pool.ready >= 1")
	}, check.Inconclusive, "the scenario has neither faults nor a load: the run proves nothing"},
	"too few samples for a quantile": {
		func() *story { return good().expect("slot.recovery.p99 <= 250ms") },
		check.Inconclusive, "slot.recovery.p99 <= 250ms cannot be judged: a p99 needs 100 samples, there are 4",
	},
	"no samples for a threshold": {
		func() *story { return good().expect("tasks.latency.after.p50 <= 1s") },
		check.Inconclusive, "tasks.latency.after.p50 <= 1s cannot be judged: a p50 needs 2 samples, there are 1",
	},
	"an unknown metric": {func() *story {
		s := good()
		s.h.Rules = append(s.h.Rules, history.Rule{Group: "expect", Text: "cows == 0", Metric: "cows", Op: "=="})
		return s
	}, check.Inconclusive, `cows == 0 cannot be judged: there is no metric "cows"`},
	"no load": {func() *story {
		s := newStory(4).boot().stage(history.Chaos).sample(4).kill(0)
		s.h.Load.Concurrency = 4
		s.stage(history.Settle).sample(4).stage(history.Verify)
		for slot := range 4 {
			s.probe(slot, 0)
		}
		return s.sample(4).stop().end()
	}, check.Inconclusive, "tasks.wrong == 0 cannot be judged: there is no data for tasks.wrong"},
	"thin load": {func() *story {
		s := good()
		s.h.Load.Count = 100
		return s
	}, check.Inconclusive, "too little load to judge by: 9% of what the scenario states"},
	"thin closed loop": {func() *story {
		s := good()
		s.h.Load.Concurrency = 4
		return s
	}, check.Inconclusive, "too little load to judge by: 4% of what the scenario states"},
	"thin open loop": {func() *story {
		s := good()
		s.h.Load.Rate = 1000
		return s
	}, check.Inconclusive, "too little load to judge by: 17% of what the scenario states"},
	"almost all of the load is rejected": {
		func() *story {
			s := calm().kill(0)
			s.h.Load.Count = 17
			for range 12 {
				s.settle(s.submit(), history.Rejected, "the queue is full")
			}
			return s.verify(4).stop().end()
		}, check.Inconclusive,
		"too little load to judge by: 29% of what the scenario states, for 12 tasks of 17 were rejected",
	},
	"it is told to close, and rejects": {func() *story {
		s := calm().kill(0)
		s.h.Load.Count = 17
		s.closing()
		for range 12 {
			s.settle(s.submit(), history.Rejected, "closed")
		}
		return s.done().verify(4).stop().end()
	}, check.Pass, "2 faults confirmed, every slot back within 4ms"},
	"it is told to be smaller, and rejects almost all of the load": {
		func() *story {
			s := calm().kill(0)
			s.h.Load.Count = 17
			s.resize()
			for range 12 {
				s.settle(s.submit(), history.Rejected, "the queue is full")
			}
			return s.done().verify(4).stop().end()
		}, check.Inconclusive,
		"too little load to judge by: 29% of what the scenario states, for 12 tasks of 17 were rejected",
	},
	"it is told to be smaller, and rejects a closed loop": {
		func() *story {
			s := calm().kill(0)
			s.h.Load.Concurrency = 1
			id := s.submit()
			s.wait(200*tick).settle(id, history.OK, "").run(id, s.pids[1], s.now-2*tick, s.now-tick).resize()
			for range 12 {
				s.settle(s.submit(), history.Rejected, "the queue is full").wait(100 * tick)
			}
			return s.done().verify(4).stop().end()
		}, check.Inconclusive,
		"too little load to judge by: 12% of what the scenario states, for 12 tasks of 18 were rejected",
	},
	"it is told to close, rejects, and takes long to close": {func() *story {
		s := calm().kill(0)
		s.h.Load.Concurrency = 1
		id := s.submit()
		s.wait(200*tick).settle(id, history.OK, "").run(id, s.pids[1], s.now-2*tick, s.now-tick).closing()
		for range 12 {
			s.settle(s.submit(), history.Rejected, "closed").wait(100 * tick)
		}
		return s.done().verify(4).stop().end()
	}, check.Pass, "2 faults confirmed, every slot back within 4ms"},
	"it is told to close, and only then there is load": {func() *story {
		s := calm().kill(0)
		s.h.Load.Rate = 1000
		s.closing()
		for range 100 {
			s.settle(s.submit(), history.Rejected, "closed")
		}
		return s.done().verify(4).stop().end()
	}, check.Inconclusive, "too little load to judge by: 22% of what the scenario states"},
	"it took too long": {func() *story {
		s := calm().kill(0)
		id := s.submit()
		s.add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmTimeout, Text: "its timeout of 3s is over"}})
		s.settle(id, history.Hung, "").stop()
		return s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
	}, check.Inconclusive, "the run did not come to its end in time: its timeout of 3s is over"},
	"ended early, and a value is wrong of which fewer than one may be": {func() *story {
		s := calm().kill(0)
		s.settle(s.submit(), history.Wrong, "").stop()
		return s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}}).expect("tasks.wrong < 1")
	}, check.Fail, "1 task of 5 gave a wrong value; it is task 5"},
	"it took too long, for a task hung": {func() *story {
		s := calm().kill(0)
		s.settle(s.submit(), history.Hung, "")
		s.add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmTimeout, Text: "its timeout of 3s is over"}}).
			stop()
		return s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
	}, check.Fail, "1 task of 5 had no outcome by the end; it is task 5"},
	"events were dropped": {func() *story {
		return calm().kill(0).add(history.Event{Note: &history.Note{Text: "slow", Dropped: 3}}).verify(4).stop().end()
	}, check.Inconclusive, "3 events of the run were lost"},
	"nobody looked": {func() *story {
		s := good()
		s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Sample != nil })
		return s
	}, check.Inconclusive, "processes.orphaned == 0 cannot be judged: there is no data for processes.orphaned"},
	"nobody asked the slots": {func() *story {
		s := good()
		s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Probe != nil && e.Probe.For == 0 })
		return s
	}, check.Inconclusive, "slots.silent == 0 cannot be judged: there is no data for slots.silent"},
	"nobody told of exits": {func() *story {
		s := good()
		s.h.Target.Can = []string{"witness"}
		s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Member != nil })
		return s
	}, check.Inconclusive, "exits.unexplained == 0 cannot be judged: there is no data for exits.unexplained"},
	"nobody witnessed": {func() *story {
		s := good()
		s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Run != nil && e.Run.Task > 7 })
		return s
	}, check.Fail, "2 tasks of 9 gave a value though nobody witnessed an execution; the first is task 8"},
	"not steady before": {func() *story {
		s := newStory(4).boot().stage(history.Steady).work(0).sample(4, func(e *history.Sample) { e.Ready = 3 }).
			stage(history.Chaos).kill(0)
		return s.verify(4).stop().end().rules("steady", "pool.ready == 4")
	}, check.Inconclusive, "the target was not steady before the first fault: pool.ready is 3, not == 4"},
	"never looked whether steady": {func() *story {
		s := newStory(4).boot().stage(history.Chaos).sample(4).kill(0).verify(4).stop().end()
		return s.rules("steady", "pool.ready == 4")
	}, check.Inconclusive, "nobody looked whether the target was steady before the faults"},
	"a promise that is required too": {func() *story {
		s := calm().kill(0)
		s.settle(s.submit(), history.Wrong, "")
		return s.done().verify(4).stop().end().rules("require", "tasks.wrong == 0")
	}, check.Fail, "1 task of 6 gave a wrong value; it is task 5"},
	"a requirement of one's own": {
		func() *story { return good().rules("require", "tasks.submitted >= 400") },
		check.Inconclusive, "tasks.submitted is 9, not >= 400 (9 samples)",
	},
	"no end": {func() *story {
		s := good()
		s.events = s.events[:len(s.events)-1]
		return s
	}, check.Inconclusive, "the history has no end: the harness did not live to write it"},

	// It was interrupted, or the harness broke.
	"interrupted": {func() *story {
		s := calm().strike(0, history.Confirmed, true).
			add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmInterrupt, Text: "SIGINT"}})
		return s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
	}, check.Aborted, "the run was interrupted: SIGINT"},
	"ended early": {func() *story {
		return calm().add(history.Event{End: &history.End{Aborted: true}})
	}, check.Aborted, "the run was ended early"},
	"aborted for the host": {func() *story {
		s := calm().add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmAbort, Rule: "host.oom > 0"}})
		return s.add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
	}, check.Aborted, "the abort condition host.oom > 0 held"},
	"could not heal": {func() *story {
		s := calm().strike(1, history.Confirmed, false)
		s.add(history.Event{Fault: &history.Fault{N: 1, Op: history.HealFailed, Err: "no such process"}})
		return s.verify(4).stop().end()
	}, check.Error, "injection 1 (signal KILL on slot 1, pid 402) could not be undone: no such process"},
	"harness broke": {func() *story {
		return calm().add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmError, Text: "disk full"}}).end()
	}, check.Error, "the harness failed: disk full"},
}

func TestEveryWayToEndHasItsVerdictAndItsCause(t *testing.T) {
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := c.story().judge()
			g.Expect(r.Verdict).To(Equal(c.verdict), show(r))
			g.Expect(r.Cause).To(Equal(c.cause), show(r))
			for _, f := range r.Findings {
				g.Expect(f.Code).NotTo(BeEmpty(), f.Text)
				g.Expect(f.Metric != "" || f.Code != check.Broken && f.Code != check.NoData).To(BeTrue(), f.Text)
			}
		})
	}
}

func TestVerdictsHaveAnOrder(t *testing.T) {
	broke := func(s *story) *story {
		return s.add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmError, Text: "disk full"}})
	}
	fail := func(s *story) *story { return s.settle(s.submit(), history.Wrong, "") }
	interrupt := func(s *story) *story {
		return s.add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmInterrupt, Text: "SIGINT"}})
	}
	drop := func(s *story) *story { return s.add(history.Event{Note: &history.Note{Dropped: 1}}) }
	oom := func(s *story) *story {
		s.exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
		s.oom++
		return s.sample(4)
	}
	ownOOM := func(s *story) *story { // a victim's, which is subtracted once it is confirmed
		s.exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
		return s.sample(4, func(e *history.Sample) { e.HostOOM = 1 })
	}
	for name, c := range map[string]struct {
		wrong []func(*story) *story
		want  check.Verdict
	}{
		"all":                              {[]func(*story) *story{fail, drop, oom, interrupt, broke}, check.Error},
		"error over fail":                  {[]func(*story) *story{fail, broke}, check.Error},
		"error over the host's own oom":    {[]func(*story) *story{oom, broke}, check.Error},
		"fail over aborted":                {[]func(*story) *story{fail, interrupt}, check.Fail},
		"fail over inconclusive":           {[]func(*story) *story{drop, fail}, check.Fail},
		"aborted over inconclusive":        {[]func(*story) *story{drop, interrupt}, check.Aborted},
		"inconclusive over pass":           {[]func(*story) *story{drop}, check.Inconclusive},
		"the host's own oom over fail":     {[]func(*story) *story{fail, oom}, check.Inconclusive},
		"a victim's oom is not the host's": {[]func(*story) *story{ownOOM}, check.Fail},
		"what came after an alarm is moot": {[]func(*story) *story{interrupt, fail}, check.Aborted},
		"nothing wrong":                    {nil, check.Pass},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0)
			for _, w := range c.wrong {
				s = w(s)
			}
			r := s.verify(4).stop().end().judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
		})
	}
	g := NewWithT(t)
	codes := []int{}
	for _, v := range []check.Verdict{check.Pass, check.Fail, check.Inconclusive, check.Aborted, check.Error, "?"} {
		codes = append(codes, v.ExitCode())
	}
	g.Expect(codes).To(Equal([]int{0, 1, 3, 4, 5, 5}))
}

func TestOwnRuleTakesThePlaceOfThePromise(t *testing.T) {
	g := NewWithT(t)
	poison := func() *story {
		s := calm().kill(0)
		return s.settle(s.submit(), history.Lost, "WorkerLostError").run(s.task, 401, 0, 0).verify(4).stop().end()
	}
	g.Expect(poison().judge().Verdict).To(Equal(check.Fail))
	r := poison().expect("tasks.lost == 1").judge()
	g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
	g.Expect(poison().expect("allow tasks.lost >= 0").judge().Verdict).To(Equal(check.Pass))
	r = good().expect("tasks.lost == 1").judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), "the error that was expected did not come")
	g.Expect(r.Cause).To(Equal("tasks.lost is 0, not == 1 (9 samples)"))
}

func TestOwnRequirementTakesThePlaceOfTheDefault(t *testing.T) {
	g := NewWithT(t)
	s := good()
	s.h.Nemesis = append(s.h.Nemesis, history.Nemesis{Fault: "oom"})
	s.rules("require", "faults.confirmed >= 1", "tasks.submitted >= 5")
	s.h.Rules[0].Nemesis, s.h.Rules[0].Limit = 1, 0
	r := s.judge()
	g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
}

func TestUnreadableHistoryNeverPasses(t *testing.T) {
	g := NewWithT(t)
	s := good()
	r := check.Judge(s.h,
		s.seq(&history.LineError{Line: 40, Problem: "its end says 9 events, 8 are here", Err: history.ErrEdited}))
	g.Expect(r.Verdict).To(Equal(check.Inconclusive))
	g.Expect(r.Cause).To(Equal("line 40: the history was edited: its end says 9 events, 8 are here"))
	g.Expect(r.Findings[0].Event).To(Equal(40))
	r = check.Judge(s.h, s.seq(errors.Join(io.ErrUnexpectedEOF)))
	g.Expect(r.Cause).To(Equal("the history could not be read to its end: unexpected EOF"))
}

func TestFindingsPointAtTheirLine(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0)
	id := s.submit()
	s.settle(id, history.Wrong, "")
	line := len(s.events) + 1 // the header is line 1
	r := s.verify(4).stop().end().judge()
	g.Expect(r.Findings[0].Event).To(Equal(line), show(r))
}

func TestCutRunsAreNotBlamedForWhatTheyCouldNotFinish(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(0, history.Confirmed, true).exit(0, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	s.submit()
	s.expect("slot.recovery.max <= 1s", "pids.turnover == 1", "tasks.submitted >= 100")
	r := s.judge()
	g.Expect(r.Verdict).To(Equal(check.Inconclusive), show(r))
	for _, f := range r.Findings {
		g.Expect(f.Verdict).To(Equal(check.Inconclusive))
	}
	for _, th := range r.Thresholds {
		g.Expect(th.OK).To(BeFalse(), th.Text+": a check without data never passes")
	}
	r = s.settle(s.submit(), history.Wrong, "").judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), "what cannot be mended counts all the same")
}

// A quantile of too few samples is what those come to, whether or not it can be judged.
func TestTooFewSamplesAreShownForWhatTheyAre(t *testing.T) {
	g := NewWithT(t)
	r := good().expect("slot.recovery.p90 <= 250ms").judge()
	g.Expect(r.Verdict).To(Equal(check.Inconclusive), show(r))
	g.Expect(r.Thresholds).To(
		ContainElement(And(HaveField("Metric", "slot.recovery.p90"), HaveField("NoData", true), HaveField("Samples", 4),
			HaveField("Actual", BeNumerically("~", 0.003, 0.002)))))
	g.Expect(r.Metrics).NotTo(HaveKey("slot.recovery.p90"))
}

func TestAQuantileThatIsWhatItMustNotBeWhateverIsMissingFails(t *testing.T) {
	s := newStory(4).boot().stage(history.Steady).sample(4).stage(history.Chaos).sample(4).kill(0)
	for _, ms := range []int{1, 1, 7, 7, 1, 1, 1, 1, 1} {
		id := s.submit()
		s.add(history.Event{
			Task: &history.Task{ID: id, Op: history.Settled, Outcome: history.OK, Latency: time.Duration(ms) * tick},
		})
		s.run(id, s.pids[1], s.now-tick, s.now)
	}
	s.stage(history.Settle).sample(4).stage(history.Verify)
	for slot := range 4 {
		s.probe(slot, 0)
	}
	r := s.sample(4).stop().end().expect("tasks.latency.p90 != 7ms").judge()
	NewWithT(t).Expect(r.Verdict).To(Equal(check.Fail), show(r))
	NewWithT(t).Expect(r.Cause).To(HavePrefix("tasks.latency.p90 cannot be != 7ms: of the 10 samples"), show(r))
}

// Whatever the missing samples were, the condition would not hold; and where there is a value with which it would, it
// is open.
func TestAQuantileIsHopelessOnlyIfNoValueOfTheMissingSamplesHelps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		took := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 9).Draw(t, "took")
		op := rapid.SampledFrom([]string{"<", "<=", "==", ">=", ">", "!="}).Draw(t, "op")
		limit := rapid.IntRange(1, 9).Draw(t, "limit")
		rule := fmt.Sprintf("tasks.latency.p90 %s %dms", op, limit)
		with := func(took []int) check.Verdict {
			s := newStory(4).boot().stage(history.Steady).sample(4).stage(history.Chaos).sample(4).kill(0)
			for _, ms := range took {
				id := s.submit()
				s.add(history.Event{Task: &history.Task{
					ID: id, Op: history.Settled, Outcome: history.OK, Latency: time.Duration(ms) * tick,
				}})
				s.run(id, s.pids[1], s.now-tick, s.now)
			}
			s.stage(history.Settle).sample(4).stage(history.Verify)
			for slot := range 4 {
				s.probe(slot, 0)
			}
			return s.sample(4).stop().end().expect(rule).judge().Verdict
		}
		possible := false
		for low := range 11 { // so many of the missing ones are smaller than all, the others of one of the values
			for v := 0; v <= 10; v++ {
				all := slices.Clone(took)
				for i := len(took); i < 10; i++ {
					if i-len(took) < low {
						all = append(all, 0)
					} else {
						all = append(all, v)
					}
				}
				possible = possible || with(all) == check.Pass
			}
		}
		want := check.Fail
		if possible {
			want = check.Inconclusive
		}
		if have := with(took); have != want {
			t.Fatalf("%s of %v: %s, want %s", rule, took, have, want)
		}
	})
}

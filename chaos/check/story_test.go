package check_test

import (
	"fmt"
	"iter"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// story is a run that is told by hand. Each of its methods adds what a harness would have recorded at that moment; the
// clock goes on by tick with each event.
type story struct {
	h      history.Header
	events []history.Event
	now    time.Duration
	pids   []int // by slot
	next   int   // the next pid
	task   uint64
	faults int
	oom    int64 // the host's counter
	// of every sample
	orphans, zombies int
}

const tick = time.Millisecond

func newStory(size int) *story {
	return &story{
		h: history.Header{
			SchemaVersion: 1, Scenario: "story",
			Target:  history.Target{Kind: "pool", Size: size, Can: []string{"events", "witness", "marker"}},
			Load:    &history.Load{Task: "sleep"},
			Nemesis: []history.Nemesis{{Fault: "signal KILL"}},
		},
		next: 400,
	}
}

func (s *story) add(e history.Event) *story {
	s.now += tick
	e.T = s.now
	s.events = append(s.events, e)
	return s
}

func (s *story) wait(d time.Duration) *story { s.now += d; return s }

func (s *story) stage(name history.StageName) *story {
	return s.add(history.Event{Stage: &history.Stage{Name: name}})
}

func (s *story) member(m history.MemberEvent) *story { return s.add(history.Event{Member: &m}) }

// start is a new member in the slot: started and ready.
func (s *story) start(slot int) *story {
	for len(s.pids) <= slot {
		s.pids = append(s.pids, 0)
	}
	s.next++
	s.pids[slot] = s.next
	s.member(history.MemberEvent{Op: history.Started, Slot: slot, PID: s.next})
	return s.member(history.MemberEvent{Op: history.Ready, Slot: slot, PID: s.next})
}

func (s *story) boot() *story {
	s.stage(history.Boot)
	for slot := range s.h.Target.Size {
		s.start(slot)
	}
	return s
}

func (s *story) exit(slot int, reason string, x history.Exit) *story {
	return s.member(history.MemberEvent{Op: history.Exited, Slot: slot, PID: s.pids[slot], Reason: reason, Exit: &x})
}

func (s *story) submit() uint64 {
	s.task++
	s.add(history.Event{Task: &history.Task{ID: s.task, Op: history.Submitted}})
	return s.task
}

func (s *story) settle(id uint64, o history.Outcome, err string) *story {
	return s.add(
		history.Event{Task: &history.Task{ID: id, Op: history.Settled, Outcome: o, Latency: 5 * tick, Err: err}})
}

func (s *story) run(id uint64, pid int, start, end time.Duration) *story {
	return s.add(history.Event{Run: &history.Run{Task: id, Attempt: 1, PID: pid, Start: start, End: end}})
}

// work is a task that went well in the slot.
func (s *story) work(slot int) *story {
	id := s.submit()
	start := s.now
	s.settle(id, history.OK, "")
	return s.run(id, s.pids[slot], start, s.now-tick)
}

func (s *story) probe(slot, after int) *story {
	return s.add(history.Event{Probe: &history.Probe{Slot: slot, Op: history.Answered, For: after, PID: s.pids[slot]}})
}

// sample says that so many members are wanted and all are there.
func (s *story) sample(want int, change ...func(*history.Sample)) *story {
	e := history.Sample{
		Want: want, Ready: want, Alive: want, Cgroups: want, FDs: 20, Goroutines: 9, ParentRSS: 10 << 20, RSS: 40 << 20,
		HostOOM: s.oom, Orphans: s.orphans, Zombies: s.zombies,
	}
	for _, c := range change {
		c(&e)
	}
	return s.add(history.Event{Sample: &e})
}

// strike is an injection that is planned, injected and settled with this outcome.
func (s *story) strike(slot int, outcome history.FaultOutcome, fatal bool) *story {
	s.faults++
	v := &history.Victim{Slot: slot, PID: s.pids[slot]}
	s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Planned, Fault: "signal KILL", Victim: v}})
	if outcome != history.Refused && outcome != history.AlreadyGone {
		s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Injected, Victim: v}})
	}
	return s.add(history.Event{Fault: &history.Fault{
		N: s.faults, Op: history.Concluded, Outcome: outcome, Fatal: fatal,
		Receipt: &history.Receipt{Tier: "wait status", At: s.now + tick},
	}})
}

// told is a fault that the target has done to itself, and says so.
func (s *story) told() *story {
	s.faults++
	s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Planned, Fault: "stepdown queue"}})
	s.add(history.Event{Fault: &history.Fault{N: s.faults, Op: history.Injected, Leads: true}})
	return s.add(history.Event{Fault: &history.Fault{
		N: s.faults, Op: history.Concluded, Outcome: history.Confirmed,
		Receipt: &history.Receipt{Tier: history.ToldByTarget, At: s.now + tick},
	}})
}

// kill is a confirmed SIGKILL and the recovery from it.
func (s *story) kill(slot int) *story {
	s.strike(slot, history.Confirmed, true)
	s.exit(slot, "", history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"})
	s.start(slot)
	return s.probe(slot, s.faults)
}

// verify is the end of a run: settled, every slot answers, nothing left.
func (s *story) verify(want int) *story {
	s.stage(history.Settle).work(0).sample(want).stage(history.Verify)
	for slot := range want {
		s.probe(slot, 0)
	}
	return s.sample(want)
}

func (s *story) stop() *story { return s.stage(history.Stop).sample(0) }

func (s *story) end() *story {
	return s.add(history.Event{End: &history.End{Events: len(s.events)}})
}

// calm is everything up to the first fault, on four members.
func calm() *story {
	s := newStory(4).boot().stage(history.Steady).work(0).work(1).sample(4).stage(history.Chaos).sample(4)
	return s.work(2).work(3)
}

// good is a whole run in which four members were killed and everything was as it should be.
func good() *story {
	s := calm()
	for slot := range 4 {
		s.kill(slot).work(slot)
	}
	return s.verify(4).stop().end()
}

func (s *story) expect(rules ...string) *story { return s.rules("expect", rules...) }

func (s *story) rules(group string, rules ...string) *story {
	for _, text := range rules {
		r, err := check.ParseRule(text)
		if err != nil {
			panic(fmt.Sprintf("%s: %v", text, err))
		}
		h, err := r.Resolve(map[string]float64{"respawn": 0.006}, 2)
		if err != nil {
			panic(err)
		}
		h.Group = group
		s.h.Rules = append(s.h.Rules, h)
	}
	return s
}

// seq is the story's events, followed by the error if there is one.
func (s *story) seq(err error) iter.Seq2[history.Event, error] {
	return func(yield func(history.Event, error) bool) {
		for _, e := range s.events {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(history.Event{}, err)
		}
	}
}

func (s *story) judge() check.Result { return check.Judge(s.h, s.seq(nil)) }

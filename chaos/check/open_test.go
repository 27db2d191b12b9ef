package check_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Two members are down from 0 to 33 ms and from 20 to 87 ms, and the second is told of when the first is back.
func TestIntervalsAreOfWhenThingsHappenedNotOfWhenTheyWereRecorded(t *testing.T) {
	g := NewWithT(t)
	s := calm().exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	from := s.now
	s.wait(31 * tick).start(1)
	s.member(history.MemberEvent{
		Op: history.Exited, Slot: 2, PID: s.pids[2], At: from + 20*tick,
		Exit: &history.Exit{Code: -1, Signal: "SIGKILL"},
	})
	s.next++
	s.member(history.MemberEvent{Op: history.Ready, Slot: 2, PID: s.next, At: from + 87*tick})
	s.pids[2] = s.next
	s.wait(100 * tick).verify(4).stop().end()
	g.Expect(s.metric("pool.below.count")).To(Equal(1.0))
	g.Expect(s.metric("pool.below.max")).To(BeNumerically("~", 0.087, 1e-9))
	g.Expect(s.metric("pool.below.total")).To(BeNumerically("~", 0.087, 1e-9))
	g.Expect(s.metric("pool.ready.min")).To(Equal(2.0))
}

// However late each thing is recorded, the figures are those of a record in order.
func TestFiguresDoNotDependOnTheOrderOfTheRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := calm()
		base := s.now
		s.wait(time.Minute) // all that follows is told afterwards
		var told []history.Event
		next := 900
		for slot := range 4 {
			at := base
			for range rapid.IntRange(0, 4).Draw(t, "deaths") {
				at += time.Duration(rapid.IntRange(2, 200).Draw(t, "lives")) * tick
				told = append(told, history.Event{
					Member: &history.MemberEvent{Op: history.Retiring, Slot: slot, PID: s.pids[slot], At: at},
				})
				at += time.Duration(rapid.IntRange(1, 200).Draw(t, "is gone")) * tick
				next++
				s.pids[slot] = next
				told = append(told,
					history.Event{Member: &history.MemberEvent{Op: history.Ready, Slot: slot, PID: next, At: at}})
			}
		}
		figures := func(order []history.Event) map[string]float64 {
			c := *s
			c.events = slices.Clone(s.events)
			for _, e := range order {
				c.add(e)
			}
			m := c.verify(4).stop().end().judge().Metrics
			return map[string]float64{
				"count": m["pool.below.count"], "max": m["pool.below.max"], "total": m["pool.below.total"],
				"min": m["pool.ready.min"],
			}
		}
		slices.SortStableFunc(told, func(a, b history.Event) int { return int(a.Member.At - b.Member.At) })
		want := figures(told)
		have := figures(rapid.Permutation(told).Draw(t, "order"))
		for name := range want {
			if d := want[name] - have[name]; d > 1e-9 || d < -1e-9 {
				t.Fatalf("%s: %v in order, %v as recorded", name, want[name], have[name])
			}
		}
	})
}

// Each of these goes on, and is longer than the condition allows although it has not ended.
func TestAbortConditionSeesWhatIsStillGoingOn(t *testing.T) {
	down := func(e *history.Sample) { e.Ready = 3 }
	for rule, happen := range map[string]func(*story){
		"pool.below.max > 5s":           func(s *story) { s.exit(1, "", history.Exit{}) },
		"pool.below.total > 5s":         func(s *story) { s.exit(1, "", history.Exit{}) },
		"pool.recovery.max > 5s":        func(s *story) { s.strike(1, history.Confirmed, true) },
		"slot.recovery.max > 5s":        func(s *story) { s.strike(1, history.Confirmed, true).start(1) },
		"tasks.latency.max > 5s":        func(s *story) { s.submit() },
		"tasks.latency.during.max > 5s": func(s *story) { s.submit() },
		"processes.orphaned.time > 5s":  func(s *story) { s.sample(4, func(e *history.Sample) { e.Orphans = 1 }) },
	} {
		t.Run(rule, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().rules("abort", rule)
			live, on := follow(s)
			happen(s)
			s.sample(4, down, func(e *history.Sample) { e.Orphans = 1 })
			on()
			_, tripped := live.Tripped()
			g.Expect(tripped).To(BeFalse(), "it has only begun")
			s.wait(5*time.Second).sample(4, down, func(e *history.Sample) { e.Orphans = 1 })
			on()
			_, tripped = live.Tripped()
			g.Expect(tripped).To(BeTrue())
			r := s.judge()
			g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
		})
	}
}

func TestAnOutageThatGoesOnAtTheEndOfAnAbortedRunCountsUpToThen(t *testing.T) {
	g := NewWithT(t)
	s := calm().strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	s.submit()
	s.wait(7 * time.Second).add(history.Event{Alarm: &history.Alarm{Kind: history.AlarmInterrupt, Text: "^C"}})
	s.wait(time.Minute).stop().add(history.Event{End: &history.End{Events: len(s.events), Aborted: true}})
	r := s.expect("pool.below.max <= 5s").judge()
	for _, name := range []string{
		"pool.below.max", "pool.below.total", "pool.recovery.max", "slot.recovery.max", "tasks.latency.max",
	} {
		g.Expect(r.Metrics[name]).To(BeNumerically("~", 7, 0.1), name)
	}
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
}

// The samples that are going on are in their places among those that have ended.
func TestQuantilesCountWhatIsGoingOn(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	live, on := follow(s)
	for range 6 {
		s.submit() // for ever
	}
	s.wait(time.Second).sample(4)
	on()
	p50, n := live.Value("tasks.latency.p50")
	g.Expect(n).To(Equal(10))
	g.Expect(p50).To(BeNumerically("~", 1, 0.1), "6 of 10 are longer than a second")
	least, _ := live.Value("tasks.latency.min")
	g.Expect(least).To(BeNumerically("~", 0.005, 1e-9))
	mean, _ := live.Value("tasks.latency.mean")
	g.Expect(mean).To(BeNumerically("~", 0.6, 0.1))
}

// One member is ready before the next is started, and is told of after it.
func TestStartsThatDoNotOverlapAreNotTakenForTwoAtOnce(t *testing.T) {
	g := NewWithT(t)
	s := calm().exit(1, "", history.Exit{}).exit(2, "", history.Exit{})
	s.member(history.MemberEvent{Op: history.Started, Slot: 1, PID: 901})
	ready := s.now + 5*tick
	s.wait(20 * tick).member(history.MemberEvent{Op: history.Started, Slot: 2, PID: 902})
	s.member(history.MemberEvent{Op: history.Ready, Slot: 1, PID: 901, At: ready}).
		member(history.MemberEvent{Op: history.Ready, Slot: 2, PID: 902})
	g.Expect(s.metric("starts.max_concurrent")).To(Equal(1.0))
}

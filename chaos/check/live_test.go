package check_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// follow plays the story to a Live, which returns after each part that is told.
func follow(s *story) (live *check.Live, on func()) {
	live = check.NewLive(s.h)
	seen := 0
	return live, func() {
		for ; seen < len(s.events); seen++ {
			live.Add(seen+2, s.events[seen])
		}
	}
}

func TestLiveTellsWhenTheTargetIsSteady(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).rules("steady", "pool.ready == 4", "tasks.throughput >= 2/s")
	live, on := follow(s)
	steady := func() bool { on(); ok, _ := live.Steady(); return ok }

	s.boot().stage(history.Steady).sample(4)
	g.Expect(steady()).To(BeFalse(), "no task yet")
	s.work(0).work(0).wait(500 * time.Millisecond).sample(4)
	g.Expect(steady()).To(BeTrue())
	s.stage(history.Chaos).sample(4)
	g.Expect(steady()).To(BeFalse(), "nobody asks during the faults")
	s.stage(history.Settle).wait(2*time.Second).work(0).work(0).work(0).sample(4,
		func(e *history.Sample) { e.Alive = 3 })
	g.Expect(steady()).To(BeFalse())
	_, shown := live.Steady()
	g.Expect(shown[0].Actual).To(Equal(3.0), "what /proc shows counts, not what the target says")
	s.sample(4)
	g.Expect(steady()).To(BeTrue())
}

func TestLiveTripsWhenAConditionHeldForItsTime(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).rules("abort", "pool.ready < 1 for 5s", "tasks.failed > 1")
	live, on := follow(s)
	tripped := func() bool { on(); _, ok := live.Tripped(); return ok }
	none := func(e *history.Sample) { e.Ready = 0 }

	s.stage(history.Boot).sample(4, none).wait(10*time.Second).sample(4, none)
	g.Expect(tripped()).To(BeFalse(), "not before the faults")
	s.stage(history.Chaos).sample(4, none).wait(4*time.Second).sample(4, none)
	g.Expect(tripped()).To(BeFalse())
	s.sample(4).sample(4, none).wait(4*time.Second).sample(4, none)
	g.Expect(tripped()).To(BeFalse(), "a break starts the time anew")
	s.wait(2*time.Second).sample(4, none)
	g.Expect(tripped()).To(BeTrue())
	th, _ := live.Tripped()
	g.Expect(th.Text).To(Equal("pool.ready < 1 for 5s"))
}

func TestLiveCountsWhatIsRecovering(t *testing.T) {
	g := NewWithT(t)
	s := calm()
	live, on := follow(s)
	s.strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL"})
	on()
	g.Expect(live.Recovering()).To(Equal(1))
	v, n := live.Value("faults.confirmed")
	g.Expect(v).To(Equal(1.0))
	g.Expect(n).To(BeNumerically(">", 0))
	s.wait(time.Second).sample(4)
	on()
	v, n = live.Value("slot.recovery.max")
	g.Expect(n).To(Equal(1))
	g.Expect(v).To(BeNumerically("~", 1, 0.01), "so far")
	s.start(1).probe(1, 1)
	on()
	g.Expect(live.Recovering()).To(BeZero())
	g.Expect(live.Snapshot()).To(HaveKey("slot.recovery.max"))
	g.Expect(live.Snapshot()).NotTo(HaveKey("tasks.duplicated"))
}

package check_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Of four members the last is a broker. Whatever it says of itself, how long nobody had a value the submitter knows.
func TestTheTimeWithoutAnOutcomeAroundAFaultOfABroker(t *testing.T) {
	strike := func(slot int) func(*story) { return func(s *story) { s.strike(slot, history.Confirmed, false) } }
	for what, c := range map[string]struct {
		strike func(*story)
		ends   history.Outcome
		gap    OmegaMatcher // nil: no data
	}{
		"a broker":                   {strike(3), history.OK, BeNumerically("~", 0.65, 0.01)},
		"a broker, and it hung":      {strike(3), history.Hung, BeNumerically("~", 0.65, 0.01)},
		"a broker, and it failed":    {strike(3), history.Failed, BeNumerically("~", 1.16, 0.02)},
		"the lead of one":            {func(s *story) { s.told() }, history.OK, BeNumerically("~", 0.65, 0.01)},
		"a node: that is no trouble": {strike(0), history.OK, nil},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			s := calm()
			s.h.Target.Brokers = 1
			s.wait(time.Hour) // without a task in flight
			waits := s.submit()
			c.strike(s)
			s.wait(300 * time.Millisecond)
			other := s.submit()
			s.wait(200*time.Millisecond).settle(waits, c.ends, "")
			s.wait(50 * time.Millisecond)
			next := s.submit()
			s.wait(600*time.Millisecond).settle(other, history.OK, "").settle(next, history.OK, "")
			gap, there := s.over().Metrics["broker.gap"]
			g.Expect(there).To(Equal(c.gap != nil))
			if c.gap != nil {
				g.Expect(gap).To(c.gap)
			}
		})
	}
}

func TestWhereTheTasksAreThatDidNotEnd(t *testing.T) {
	g := NewWithT(t)
	s := newStory(4).boot().stage(history.Steady)
	first := s.submit() // never heard of again
	s.settle(s.submit(), history.Lost, "")
	s.work(0).work(1).sample(4).stage(history.Chaos).sample(4)
	hung := s.submit()
	s.work(2).kill(1).settle(hung, history.Hung, "")
	s.settle(s.submit(), history.Failed, "")
	s.verify(4)
	s.submit()
	r := s.stop().end().judge()
	g.Expect(first).To(BeEquivalentTo(1))
	for place, n := range map[string]float64{"prefix": 2, "middle": 1, "postfix": 1} {
		g.Expect(r.Metrics["tasks.unsettled."+place]).To(Equal(n), place)
	}
	g.Expect(r.Metrics["tasks.unsettled"]).To(Equal(4.0))
	g.Expect(r.Verdict).To(Equal(check.Fail))
}

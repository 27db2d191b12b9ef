package check_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// verified is the stage verify of four slots that all answer, and the end.
func (s *story) verified() *story {
	s.stage(history.Verify)
	for slot := range 4 {
		s.probe(slot, 0)
	}
	return s.sample(4).stop().end()
}

func short(e *history.Sample) { e.Ready = 3 }

func TestARecoveryThatTakesLongerThanSettleFails(t *testing.T) {
	for name, c := range map[string]struct {
		back func(*story) // 3.8 s after the faults
		want string
	}{
		"the pool": {
			func(s *story) { s.start(2).probe(2, 1) },
			"the pool was whole again only 3\\.(79|8)s after the faults, and settle is 2s",
		},
		"the slot": {
			func(s *story) { s.probe(2, 1) },
			"the last slot was of use again only 3\\.(79|8)s after the faults, and settle is 2s",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().strike(2, history.Confirmed, true).exit(2, "", history.Exit{Code: -1, Signal: "SIGKILL"})
			if name == "the slot" {
				s.start(2)
			}
			s.h.Settle = 2 * time.Second
			s.stage(history.Settle).work(0).wait(3790 * time.Millisecond)
			c.back(s)
			r := s.sample(4).verified().judge()
			g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
			g.Expect(r.Cause).To(MatchRegexp(c.want))
			s.h.Settle = 4 * time.Second
			r = s.judge()
			g.Expect(r.Verdict).To(Equal(check.Pass), show(r))
			g.Expect(r.Thresholds).
				To(ContainElement(And(HaveField("Text", "settle.time <= 4s"), HaveField("OK", true))))
			s.h.Settle = 0 // a record of before this was told
			g.Expect(s.judge().Verdict).To(Equal(check.Pass))
		})
	}
}

func TestMembersThatAreBackOnlyAfterSettleAreMissing(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0)
	s.h.Target.Can, s.h.Settle = []string{"witness", "marker"}, 2*time.Second
	s.stage(history.Settle).work(0).sample(4, short)
	for range 30 {
		s.wait(100*tick).sample(4, short)
	}
	r := s.sample(4).verified().judge()
	g.Expect(r.Metrics["pool.missing"]).To(Equal(1.0))
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
}

func TestSteadyAgainIsFromThenOnAtEveryLook(t *testing.T) {
	for name, short := range map[string]func(*history.Sample){
		"by its own word": short,
		"by /proc":        func(e *history.Sample) { e.Alive = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().kill(0).stage(history.Settle).work(0).sample(4).rules("steady", "pool.ready == 4")
			for range 21 {
				s.wait(100*tick).sample(4, short)
			}
			r := s.verified().judge()
			g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
			g.Expect(r.Cause).To(MatchRegexp(
				`^the target was in its steady state again 4ms after the faults, and after 105ms not any more: pool.ready is 3, not == 4$`))
			g.Expect(r.Thresholds).To(
				ContainElement(And(HaveField("Group", "steady"), HaveField("When", "after"), HaveField("OK", false))))
		})
	}
}

func TestSteadyAgainOnlyAfterSettleFails(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0).stage(history.Settle).work(0).rules("steady", "pool.ready == 4")
	for range 30 {
		s.wait(100*tick).sample(4, short)
	}
	s.verified()
	g.Expect(s.judge().Verdict).To(Equal(check.Pass), "nobody says how long it may take")
	s.h.Settle = 2 * time.Second
	r := s.expect("allow pool.missing <= 1").judge()
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Cause).
		To(MatchRegexp(`^the target was in its steady state again only 3.0.s after the faults, and settle is 2s$`))
}

// None of these is the target's failure: a member that it recycles is missing at a look, or that a fault has ended; no
// work is done where there is none any more.
func TestLooksThatAreAccountedForDoNotEndASteadyState(t *testing.T) {
	for name, lapse := range map[string]func(*story){
		"recycled": func(s *story) {
			s.member(history.MemberEvent{Op: history.Retiring, Slot: 1, PID: s.pids[1]}).sample(4, short)
			s.exit(1, "recycle", history.Exit{Kind: "clean"}).start(1)
		},
		"recycled, and told of afterwards": func(s *story) {
			s.wait(50*tick).sample(4, short)
			s.member(history.MemberEvent{
				Op: history.Exited, Slot: 1, PID: s.pids[1], Reason: "recycle", At: s.now - 5*tick,
				Exit: &history.Exit{Kind: "clean"},
			})
			s.start(1)
		},
		"the load is over": func(s *story) {
			s.stage(history.Verify).wait(10 * time.Second).sample(4)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := calm().wait(300 * tick).work(0).sample(4).kill(0).stage(history.Settle).work(0).sample(4)
			s.rules("steady", "pool.ready == 4", "tasks.throughput >= 1/s").
				expect("allow exits.collateral == exits.recycled")
			lapse(s)
			if s.events[len(s.events)-2].Stage == nil {
				s.stage(history.Verify)
			}
			for slot := range 4 {
				s.probe(slot, 0)
			}
			r := s.sample(4).stop().end().judge()
			g.Expect(r.Findings).NotTo(ContainElement(HaveField("Text", ContainSubstring("steady state again"))),
				show(r))
		})
	}
}

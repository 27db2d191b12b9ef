package check_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// ranged is four members of a target that may have two to five.
func ranged() *story {
	s := newStory(4).boot().stage(history.Steady).work(0).work(1).sample(2, there(4)).stage(history.Chaos).sample(2,
		there(4))
	s.h.Target.Size, s.h.Target.Most = 2, 5
	return s.work(2).work(3)
}

// there says how many members are, whatever is wanted.
func there(n int) func(*history.Sample) {
	return func(e *history.Sample) { e.Ready, e.Alive = n, n }
}

// Of a target that changes by itself how many members it has, only an end that is known to be a crash is nobody's
// doing.
func TestMembersThatEndInATargetOfNoFixedSize(t *testing.T) {
	for name, c := range map[string]struct {
		exit *history.Exit
		want check.Verdict
		says string
	}{
		"as it was asked to": {
			&history.Exit{Signal: "SIGTERM", Code: -1}, check.Pass,
			"1 member ended by itself as their number may vary",
		},
		"by itself":          {&history.Exit{}, check.Pass, "1 member ended by itself as their number may vary"},
		"and nobody saw how": {nil, check.Pass, "1 member ended by itself as their number may vary"},
		"of a crash": {
			&history.Exit{Signal: "SIGSEGV", Code: -1}, check.Fail,
			"1 member died though nobody caused it",
		},
		"with a code": {&history.Exit{Code: 3}, check.Fail, "1 member died though nobody caused it"},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			s := ranged().kill(0)
			s.member(history.MemberEvent{Op: history.Exited, Slot: 3, PID: s.pids[3], Exit: c.exit})
			r := s.stage(history.Settle).work(0).sample(2, there(3)).stage(history.Verify).probe(0, 0).probe(1, 0).
				sample(2, there(3)).stop().end().judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			g.Expect(r.Cause).To(ContainSubstring(c.says))
		})
	}
}

func TestMoreMembersThanThereMayBe(t *testing.T) {
	g := NewWithT(t)
	many := func(n int) check.Result {
		s := ranged().kill(0).stage(history.Settle).work(0).sample(2, there(n))
		return s.stage(history.Verify).probe(0, 0).probe(1, 0).sample(2, there(n)).stop().end().judge()
	}
	g.Expect(many(5).Verdict).To(Equal(check.Pass), show(many(5)))
	r := many(7)
	g.Expect(r.Verdict).To(Equal(check.Fail), show(r))
	g.Expect(r.Cause).To(Equal("7 members were there when the faults were over, and there may be 5"))
}

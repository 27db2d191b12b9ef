package check_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
)

func TestAKillThatFellBetweenTwoTasksProvesNothing(t *testing.T) {
	atWork := func(end bool) *story {
		s := calm()
		s.h.Nemesis[0].Pick = "random 1 busy"
		id := s.submit()
		if !end {
			s.run(id, s.pids[0], s.now, 0)
			s.wait(tick)
		}
		s.kill(0)
		return s.settle(id, "ok", "").run(id, s.pids[1], s.now-2*tick, s.now-tick).verify(4).stop().end()
	}
	for name, c := range map[string]struct {
		rule string
		s    *story
		want check.Verdict
	}{
		"between two, run once as it must be":          {"tasks.executions.max == 2", atWork(true), check.Inconclusive},
		"between two, though nothing is asked of that": {"tasks.executions.max <= 2", atWork(true), check.Inconclusive},
		"at work, and run again":                       {"tasks.executions.max == 2", atWork(false), check.Pass},
		"at work, and run too often":                   {"tasks.executions.max == 1", atWork(false), check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			r := c.s.expect(c.rule).judge()
			g.Expect(r.Verdict).To(Equal(c.want), show(r))
			if c.want == check.Inconclusive {
				g.Expect(r.Cause).To(Equal("members were to be killed at work, and each kill fell between two tasks"))
			}
		})
	}
}

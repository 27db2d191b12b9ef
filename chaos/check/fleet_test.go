package check_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// What a fleet tells once the load is over is judged: nothing is to be left, and nothing given up.
func TestWhatAFleetTellsOfItsTasks(t *testing.T) {
	tell := func(a *history.Account, can bool, rules ...string) check.Result {
		s := calm().kill(0).verify(4)
		if can {
			s.h.Target.Can = append(s.h.Target.Can, "account")
		}
		if a != nil {
			s.add(history.Event{Account: a})
		}
		return s.expect(rules...).stop().end().judge()
	}
	for what, c := range map[string]struct {
		account *history.Account
		rules   []string
		verdict check.Verdict
		cause   string
	}{
		"nothing is left": {
			&history.Account{Repaired: 3, Stale: 2},
			[]string{"fleet.repaired == 3", "fleet.stale == 2"},
			check.Pass, "",
		},
		"in the queue": {&history.Account{Stored: 3, Pending: 1}, nil, check.Fail, "3 tasks were left " +
			"when all had settled: 3 in the queue, 1 handed out and not acknowledged, 0 at nodes, 0 at the owner"},
		"handed out":            {&history.Account{Pending: 1}, nil, check.Fail, "1 task was left"},
		"at nodes":              {&history.Account{Held: 2}, nil, check.Fail, "2 at nodes"},
		"at the owner":          {&history.Account{Unsettled: 1}, nil, check.Fail, "1 at the owner"},
		"given up":              {&history.Account{Abandoned: 1}, nil, check.Fail, "fleet.abandoned is 1"},
		"given up, as it is to": {&history.Account{Abandoned: 1}, []string{"fleet.abandoned == 1"}, check.Pass, ""},
		"nothing was repaired": {
			&history.Account{},
			[]string{"fleet.repaired >= 1"},
			check.Fail,
			"fleet.repaired is 0",
		},
		"nothing came too late":   {&history.Account{}, []string{"fleet.stale >= 1"}, check.Fail, "fleet.stale is 0"},
		"it keeps none, as pools": {nil, nil, check.Pass, ""},
		"it did not tell":         {nil, []string{"fleet.repaired >= 1"}, check.Inconclusive, "fleet.repaired"},
		"it was to tell":          {nil, nil, check.Inconclusive, "fleet.left"},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			r := tell(c.account, what == "it was to tell", c.rules...)
			g.Expect(r.Verdict).To(Equal(c.verdict), r.Cause)
			g.Expect(r.Cause).To(ContainSubstring(c.cause))
			_, there := r.Metrics["fleet.left"]
			g.Expect(there).To(Equal(c.account != nil))
		})
	}
}

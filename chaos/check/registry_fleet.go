package check

import (
	"fmt"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// fleetMetrics are what a fleet counts of its tasks: what its brokers, its nodes and the owner of the load tell when
// the slots have answered.
var fleetMetrics = []Metric{
	inFleet("left", "Tasks that were somewhere still when all had settled.",
		"Of the account of a fleet, the largest of the load's tasks that brokers keep, that they have handed out and "+
			"nobody has acknowledged (not told where other owners have some), that nodes say they have, and that "+
			"have not settled. The account is of the first look at which there were none, or of 40 s later; "+
			"where several brokers keep the queue, of 170 s later.",
		(*history.Account).Left),
	inFleet("repaired",
		"Times that the owner stored a task again, since the brokers had lost it or handed it to nobody.",
		"The account's repaired.", func(a *history.Account) int { return a.Repaired }),
	inFleet("stale",
		"Results that the owner refused: their tasks had settled, or they came from a node that had no right to them.",
		"The account's stale; the same result that comes again counts for nothing.",
		func(a *history.Account) int { return a.Stale }),
	inFleet("abandoned", "Tasks that the owner gave up, of the load and of the harness.",
		"The account's abandoned: those whose budget of nodes was spent, that were to run at most once and may have "+
			"started on a node that was lost, or that no node was there for.",
		func(a *history.Account) int { return a.Abandoned }),
}

func inFleet(end, meaning, formula string, of func(*history.Account) int) Metric {
	return Metric{
		Name: "fleet." + end, Unit: Count, Meaning: meaning, Formula: formula,
		of: func(s *state) ledger.Reading {
			if s.Account == nil {
				return ledger.Reading{}
			}
			return ledger.Count(of(s.Account), 1)
		},
	}
}

// hasAccount tells whether there is an account, or there is to be one: a fleet that does not tell proves nothing.
func (s *state) hasAccount() bool {
	return s.Account != nil || s.Can("account") && !s.Injections.EndedParent(s.Now)
}

func (s *state) sayLeft(n int) (string, int) {
	a := s.Account
	return fmt.Sprintf("%s %s left when all had settled: %d in the queue, %d handed out and not acknowledged, %d at "+
		"nodes, %d at the owner",
		number(n, "task", "tasks"), wasWere(n), a.Stored, a.Pending, a.Held, a.Unsettled), s.AccountLine
}

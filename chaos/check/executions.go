package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// finish goes over all tasks once, when every execution and every death is known.
func (a *account) finish(s *state) {
	witness := s.can("witness") || a.runs > 0
	u := sums{}
	for id, e := range a.tasks {
		u.mostRuns = max(u.mostRuns, int(e.runs))
		if e.runs > 0 {
			u.ran++
		}
		if e.runs > 1 || !witness && e.attempts > 1 {
			u.retried++
		}
		if e.counted && e.outcome == 0 && s.complete() {
			u.unsettled++
			u.firstUnsettled.earliest(id, e)
		}
		if e.settles > 1 || e.runs > 1 && int(e.runs) > 1+a.interrupted(id, e, s) {
			u.duplicated++
			u.firstDuplicated.earliest(id, e)
		}
		if witness && outcomes[e.outcome] == history.OK && e.runs == 0 {
			u.unwitnessed++
			u.firstUnwitnessed.earliest(id, e)
		}
		if witness && outcomes[e.outcome] == history.Lost && a.interrupted(id, e, s) == 0 && !s.faults.endedParent(e.at) {
			u.bystanders++
			u.firstBystander.earliest(id, e)
		}
	}
	for _, b := range s.crew.blamed {
		if ran, ok := s.crew.running[b.pid]; ok && !slices.Contains(ran, b.task) {
			u.bystanders++
			if first := &u.firstBystander; first.line == 0 || b.line < first.line {
				*first = sighting{b.task, b.line, "it was charged with the death of a member that was running another"}
			}
		}
	}
	a.sums = u
}

// earliest keeps the task whose line comes first, so that the order in which tasks are looked at does not matter.
func (g *sighting) earliest(id uint64, e entry) { g.before(sighting{id: id, line: int(e.line)}) }

// interrupted counts the executions of the task that a death of their process cut short, or that it could have robbed of
// their result: each is a reason to run the task once more.
func (a *account) interrupted(id uint64, e entry, s *state) int {
	n := 0
	for _, r := range a.runsOf(id, e) {
		if slices.ContainsFunc(s.crew.deaths[int(r.pid)], func(at time.Duration) bool {
			return at >= r.start && (r.end == 0 || e.outcome == 0 || at <= e.at)
		}) {
			n++
		}
	}
	return n
}

// runsOf is the executions of a task in the order of their starts.
func (a *account) runsOf(id uint64, e entry) []run {
	if e.runs == 0 {
		return nil
	}
	runs := append([]run{e.first}, a.more[id]...)
	slices.SortStableFunc(runs, func(a, b run) int { return cmp.Compare(a.start, b.start) })
	return runs
}

// lost is what nobody will hear of again: settled as lost, or never settled.
func (s *state) lost() reading {
	return s.submittedTasks(s.account.outcomes[history.Lost] + s.account.sums.unsettled)
}

// witnessed is a number that comes from the executions.
func (s *state) witnessed(n float64) reading {
	if s.account.runs == 0 {
		return reading{}
	}
	return reading{n, s.account.runs}
}

func (s *state) unwitnessed() reading {
	if !s.can("witness") && s.account.runs == 0 {
		return reading{}
	}
	return s.submittedTasks(s.account.sums.unwitnessed)
}

// bystanders are known where tasks witness themselves, or the target says whom it blames.
func (s *state) bystanders() reading {
	records := s.account.runs + len(s.crew.blamed)
	if records == 0 && s.can("witness") {
		records = 1
	}
	return count(s.account.sums.bystanders, records)
}

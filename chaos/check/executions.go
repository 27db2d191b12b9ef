package check

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// finish goes over all tasks once, when every execution and every death is known.
func (a *account) finish(s *state) {
	witness := s.can("witness") || a.runs > 0
	u := sums{}
	for id, e := range a.tasks {
		u.mostRuns = max(u.mostRuns, int(e.runs))
		u.cut += a.cut(id, e, s)
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
		if outcomes[e.outcome] == history.OK && (e.early || e.runs > 0 && s.evidence.torn == 0 && !a.done(id, e)) {
			u.early++
			u.firstEarly.earliest(id, e)
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
	a.resume(s)
}

// resume measures how long tasks that a death cut short were left.
func (a *account) resume(s *state) {
	a.requeue = dist{}
	for _, id := range slices.Sorted(maps.Keys(a.more)) {
		e := a.tasks[id]
		runs := a.runsOf(id, e)
		for i, next := range runs[1:] {
			cut := runs[i]
			deaths := s.crew.deaths[int(cut.pid)]
			if at := slices.IndexFunc(deaths, func(at time.Duration) bool { return at >= cut.start }); cut.end == 0 && at >= 0 {
				a.requeue.add(min(deaths[at], next.start), next.start, int(e.line)) // a death may be told after the target has acted on it
			}
		}
	}
}

// done tells whether an execution of the task had ended when the task was settled.
func (a *account) done(id uint64, e entry) bool {
	return slices.ContainsFunc(a.runsOf(id, e), func(r run) bool { return r.end > 0 && r.end <= e.at })
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

// cut counts the executions of the task that have no end because their process died.
func (a *account) cut(id uint64, e entry, s *state) (n int) {
	for _, r := range a.runsOf(id, e) {
		if r.end == 0 && slices.ContainsFunc(s.crew.deaths[int(r.pid)], func(at time.Duration) bool { return at >= r.start }) {
			n++
		}
	}
	return n
}

// betweenTasks tells whether members were to be killed at work, as the target listed them, and none of the kills met a task: what is
// expected of their effect was not put to the test.
func (s *state) betweenTasks() bool {
	return s.account.runs > 0 && s.account.sums.cut == 0 && s.faults.outcomes[history.Confirmed] > 0 &&
		!slices.ContainsFunc(s.h.Nemesis, func(n history.Nemesis) bool {
			return n.Fault != "signal KILL" || !slices.Contains(strings.Fields(n.Pick), "busy")
		})
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

// early is known where it is known how long a task takes, or when it was done.
func (s *state) early() reading {
	if !s.timed() {
		return reading{}
	}
	return s.submittedTasks(s.account.sums.early)
}

func (s *state) timed() bool { return s.tooSoon() > 0 || s.account.runs > 0 }

// bystanders are known where tasks witness themselves, or the target says whom it blames.
func (s *state) bystanders() reading {
	records := s.account.runs + len(s.crew.blamed)
	if records == 0 && s.can("witness") {
		records = 1
	}
	return count(s.account.sums.bystanders, records)
}

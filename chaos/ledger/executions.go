package ledger

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// finish goes over all tasks once, when every execution and every death is known.
func (a *Tasks) finish(s *Ledger) {
	a.sortOut(&s.Evidence)
	witness := s.witness()
	u := TaskSums{}
	for id, e := range a.All {
		u.MostRuns = max(u.MostRuns, int(e.Executions))
		u.cut += a.cut(id, e, s)
		if e.Executions > 0 {
			u.Ran++
		}
		if e.again(witness) {
			u.Retried++
		}
		if e.Counted && e.Outcome == 0 && s.Complete() {
			u.unsettled++
			u.FirstUnsettled.earliest(id, e)
		}
		if e.Ends > 1 || e.Executions > 1 && int(e.Executions) > 1+a.interrupted(id, e, s) {
			u.Duplicated++
			u.FirstDuplicated.earliest(id, e)
		}
		if witness && outcomes[e.Outcome] == history.OK && e.Executions == 0 {
			u.Unwitnessed++
			u.FirstUnwitnessed.earliest(id, e)
		}
		if outcomes[e.Outcome] == history.OK &&
			(e.early || e.Executions > 0 && s.Evidence.Torn == 0 && !a.done(id, e, s.tooSoon())) {
			u.early++
			u.FirstEarly.earliest(id, e)
		}
		if witness && outcomes[e.Outcome] == history.Lost && a.interrupted(id, e, s) == 0 &&
			!s.Injections.EndedParent(e.Settled) {
			u.bystanders++
			u.FirstBystander.earliest(id, e)
		}
	}
	for id, runs := range s.Evidence.runs {
		if a.All[id].Ends <= 1 && len(runs) > 1+deadly(runs, s) {
			u.Duplicated++
			u.FirstDuplicated.before(Sighting{ID: id, Line: s.Evidence.answered(id, s.Line)})
		}
	}
	for _, b := range s.Members.blamed {
		if ran, ok := s.Members.running[b.pid]; ok && !slices.Contains(ran, b.task) {
			u.bystanders++
			if first := &u.FirstBystander; first.Line == 0 || b.line < first.Line {
				*first = Sighting{b.task, b.line, "it was charged with the death of a member that was running another"}
			}
		}
	}
	u.Unsettled = a.places(s)
	a.Sums = u
	a.resume(s)
}

// places counts the tasks that did not end by where they were submitted: before the first that gave its value, between
// two of these, and behind the last.
func (a *Tasks) places(s *Ledger) (n [3]int) {
	var first, last int32
	for _, e := range a.All {
		if e.End() == history.OK {
			if first == 0 || e.Begun < first {
				first = e.Begun
			}
			last = max(last, e.Begun)
		}
	}
	for _, e := range a.All {
		switch end := e.End(); {
		case !e.Counted || end != history.Lost && end != history.Hung && (end != "" || !s.Complete()):
		case e.Begun > last:
			n[2]++
		case e.Begun < first:
			n[0]++
		default:
			n[1]++
		}
	}
	return n
}

// sortOut gives to the evidence the executions of tasks that are none of the load's: the harness's own, to see who
// answers. They are known by that nobody submitted them as tasks of the load, for their numbers are like those of any
// task.
func (a *Tasks) sortOut(v *Evidence) {
	for id, e := range a.All {
		if e.Counted || e.Executions == 0 {
			continue
		}
		v.runs[id] = a.RunsOf(id, e)
		a.Runs -= int(e.Executions)
		delete(a.More, id)
		delete(a.All, id)
		if e.Ends > 0 {
			a.All[id] = Task{Ends: e.Ends, Line: e.Line}
		}
	}
}

// resume measures how long tasks that a death cut short were left.
func (a *Tasks) resume(s *Ledger) {
	a.Requeue = Dist{}
	for _, id := range slices.Sorted(maps.Keys(a.More)) {
		e := a.All[id]
		runs := a.RunsOf(id, e)
		for i, next := range runs[1:] {
			cut := runs[i]
			deaths := s.Members.deaths[int(cut.PID)]
			if at := slices.IndexFunc(deaths, func(at time.Duration) bool { return at >= cut.Start }); cut.End == 0 &&
				at >= 0 {
				// a death may be told after the target has acted on it
				a.Requeue.add(min(deaths[at], next.Start), next.Start, int(e.Line))
			}
		}
	}
}

// done tells whether an execution of the task that lasted as long as it takes had ended when the task was settled.
func (a *Tasks) done(id uint64, e Task, takes time.Duration) bool {
	return slices.ContainsFunc(a.RunsOf(id, e), func(r Run) bool {
		return r.End > 0 && r.End <= e.Settled && r.End-r.Start >= takes
	})
}

// earliest keeps the task whose line comes first, so that the order in which tasks are looked at does not matter.
func (g *Sighting) earliest(id uint64, e Task) { g.before(Sighting{ID: id, Line: int(e.Line)}) }

// interrupted counts the executions of the task that a death of their process cut short, or that it could have robbed
// of their result: each is a reason to run the task once more.
func (a *Tasks) interrupted(id uint64, e Task, s *Ledger) int {
	n := 0
	for _, r := range a.RunsOf(id, e) {
		if slices.ContainsFunc(s.Members.deaths[int(r.PID)], func(at time.Duration) bool {
			return at >= r.Start && (r.End == 0 || e.Outcome == 0 || at <= e.Settled)
		}) {
			n++
		}
	}
	return n
}

// deadly counts the executions whose process died in them, or since.
func deadly(runs []Run, s *Ledger) (n int) {
	for _, r := range runs {
		if slices.ContainsFunc(s.Members.deaths[int(r.PID)], func(at time.Duration) bool { return at >= r.Start }) {
			n++
		}
	}
	return n
}

// cut counts the executions of the task that have no end because their process died.
func (a *Tasks) cut(id uint64, e Task, s *Ledger) (n int) {
	for _, r := range a.RunsOf(id, e) {
		if r.End == 0 &&
			slices.ContainsFunc(s.Members.deaths[int(r.PID)], func(at time.Duration) bool { return at >= r.Start }) {
			n++
		}
	}
	return n
}

// BetweenTasks tells whether members were to be killed at work, as the target listed them, and none of the kills met a
// task: what is expected of their effect was not put to the test.
func (s *Ledger) BetweenTasks() bool {
	return s.Tasks.Runs > 0 && s.Tasks.Sums.cut == 0 && s.Injections.Outcomes[history.Confirmed] > 0 &&
		!slices.ContainsFunc(s.Header.Nemesis, func(n history.Nemesis) bool {
			return n.Fault != "signal KILL" || !slices.Contains(strings.Fields(n.Pick), "busy")
		})
}

// RunsOf is the executions of a task in the order of their starts.
func (a *Tasks) RunsOf(id uint64, e Task) []Run {
	if e.Executions == 0 {
		return nil
	}
	runs := append([]Run{e.first}, a.More[id]...)
	slices.SortStableFunc(runs, func(a, b Run) int { return cmp.Compare(a.Start, b.Start) })
	return runs
}

// LostTasks is what nobody will hear of again: settled as lost, or never settled.
func (s *Ledger) LostTasks() Reading {
	return s.SubmittedTasks(s.Tasks.Outcomes[history.Lost] + s.Tasks.Sums.unsettled)
}

// Witnessed is a number that comes from the executions.
func (s *Ledger) Witnessed(n float64) Reading {
	if s.Tasks.Runs == 0 {
		return Reading{}
	}
	return Reading{n, s.Tasks.Runs}
}

// Unwitnessed counts the tasks that gave a value though nobody witnessed an execution.
func (s *Ledger) Unwitnessed() Reading {
	if !s.Can("witness") && s.Tasks.Runs == 0 {
		return Reading{}
	}
	return s.SubmittedTasks(s.Tasks.Sums.Unwitnessed)
}

// Early is known where it is known how long a task takes, or when it was done.
func (s *Ledger) Early() Reading {
	if !s.Timed() {
		return Reading{}
	}
	return s.SubmittedTasks(s.Tasks.Sums.early)
}

// Timed tells whether it is known when a task can have been done at the earliest.
func (s *Ledger) Timed() bool { return s.tooSoon() > 0 || s.Tasks.Runs > 0 }

// Bystanders are known where tasks witness themselves, or the target says whom it blames.
func (s *Ledger) Bystanders() Reading {
	records := s.Tasks.Runs + len(s.Members.blamed)
	if records == 0 && s.Can("witness") {
		records = 1
	}
	return Count(s.Tasks.Sums.bystanders, records)
}

func (s *Ledger) witness() bool { return s.Can("witness") || s.Tasks.Runs > 0 }

// again tells whether the task was run more than once.
func (e Task) again(witness bool) bool { return e.Executions > 1 || !witness && e.Attempts > 1 }

// Troubled are the tasks that did not simply settle with the right value at their first attempt, ascending: those that
// did not end well, and those that were only run again.
func (s *Ledger) Troubled() (bad, again []uint64) {
	for id, e := range s.Tasks.All {
		switch {
		case e.Counted && (e.End() != history.OK || e.Wrong || e.Ends > 1):
			bad = append(bad, id)
		case e.again(s.witness()):
			again = append(again, id)
		}
	}
	slices.Sort(bad)
	slices.Sort(again)
	return bad, again
}

package ledger

import (
	"slices"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Tasks is the ledger of tasks: what the submitter saw of each, beside what the tasks witnessed themselves.
type Tasks struct {
	All       map[uint64]Task
	More      map[uint64][]Run // the executions of a task after the first
	Outcomes  map[history.Outcome]int
	FirstOf   map[history.Outcome]Sighting
	Wrong     int
	Settled   int
	Runs      int
	submitted time.Duration // the first
	last      time.Duration // the last outcome

	latency [4]Dist            // all, and by window
	open    map[uint64]ongoing // tasks that have not ended
	Requeue Dist               // from a death to the next execution of the task that it cut short
	Sums    TaskSums
	Errs    map[uint64]string // what the first of those that did not end well ended with
}

// mostErrs bounds the errors of tasks that are kept.
const mostErrs = 1000

// Task is one task. Its lines are kept as 32 bits, for there are many.
type Task struct {
	Submitted  time.Duration
	Settled    time.Duration
	first      Run
	Begun      int32 // the line of its submission, 0 if there is none
	Line       int32 // that of its end, of its submission while there is none
	Attempts   int32
	Executions int32
	PID        int32 // who is said to have run it
	Ends       uint8
	Wrong      bool
	early      bool // settled sooner than it can have been done
	Outcome    outcome
	Counted    bool // submitted or settled: known to the submitter
}

// End is how it ended for its submitter: "" while it has not.
func (e Task) End() history.Outcome { return outcomes[e.Outcome] }

// Run is one execution as witnessed.
type Run struct {
	Start, End time.Duration
	PID        int32
}

// outcome is a history.Outcome in one byte; 0 is none.
type outcome uint8

var outcomes = []history.Outcome{
	"", history.OK, history.Wrong, history.Failed, history.Lost, history.Hung, history.Rejected,
}

// Sighting is a task that shows something.
type Sighting struct {
	ID   uint64
	Line int
	Err  string
}

// TaskSums is what can be told of the tasks only when all executions are known.
type TaskSums struct {
	unsettled, Duplicated, Retried, Unwitnessed, MostRuns, Ran int
	bystanders                                                 int
	FirstUnsettled, FirstDuplicated, FirstBystander            Sighting
	FirstUnwitnessed                                           Sighting
	early                                                      int
	cut                                                        int // executions that a member's death ended
	FirstEarly                                                 Sighting
	// of those that did not end, the ones before, between and behind those that gave their values
	Unsettled [3]int
}

func (a *Tasks) init() {
	a.All, a.More = map[uint64]Task{}, map[uint64][]Run{}
	a.open, a.Errs = map[uint64]ongoing{}, map[uint64]string{}
	a.Outcomes, a.FirstOf = map[history.Outcome]int{}, map[history.Outcome]Sighting{}
}

func (s *Ledger) task(t *history.Task) {
	a := &s.Tasks
	e := a.All[t.ID]
	switch t.Op {
	case history.Submitted:
		s.Gaps.came(s)
		if !e.Counted {
			s.Load.submitted(s)
			if e.Line == 0 {
				e.Line = int32(s.Line)
			}
			e.Submitted, e.Begun = s.Now, int32(s.Line)
		}
		e.Counted = true
		if e.Outcome == 0 {
			a.open[t.ID] = ongoing{s.Now, s.Line}
		}
	case history.Settled:
		delete(a.open, t.ID)
		if e.Outcome == 0 {
			s.Gaps.ended(t.Outcome, s)
		}
		e = s.settled(e, t)
		if s.Forget {
			delete(a.All, t.ID)
			return
		}
	}
	a.All[t.ID] = e
}

func (s *Ledger) settled(e Task, t *history.Task) Task {
	a := &s.Tasks
	if !e.Counted { // its submission is not in the record
		s.Load.submitted(s)
		e.Counted = true
	}
	if slices.Index(outcomes, t.Outcome) <= 0 {
		s.malformed("task %d ended with the outcome %q", t.ID, t.Outcome)
	}
	if t.Outcome == history.Wrong && !e.Wrong {
		e.Wrong = true
		a.Wrong++
		a.sight(t, s.Line)
	}
	e.Attempts = max(e.Attempts, int32(t.Attempts))
	if e.Outcome != 0 {
		if outcomes[e.Outcome] != history.Hung {
			e.Ends++
		}
		return e
	}
	e.Outcome = outcome(max(0, slices.Index(outcomes, t.Outcome)))
	e.Settled, e.Line, e.PID = s.Now, int32(s.Line), int32(t.PID)
	e.Ends++
	a.Outcomes[t.Outcome]++
	a.sight(t, s.Line)
	if t.Err != "" && len(a.Errs) < mostErrs {
		a.Errs[t.ID] = Clip(t.Err, mostText)
	}
	a.last = s.Now
	if t.Outcome != history.Hung {
		a.Settled++
	}
	s.Load.done(t, s)
	e.early = t.Latency < s.tooSoon()
	if (t.Outcome == history.OK || t.Outcome == history.Hung) && s.Stage >= Steady && !s.Forget {
		a.latency[0].add(s.Now-t.Latency, s.Now, s.Line)
		if w := int(s.Stage-Steady) + 1; w < len(a.latency) {
			a.latency[w].add(s.Now-t.Latency, s.Now, s.Line)
		}
	}
	return e
}

// tooSoon is the time in which no task of the load can have been done: nine tenths of what it takes, and a millisecond
// less than that, for there are runtimes whose timers are so early. 0 where it is not known what a task takes.
func (s *Ledger) tooSoon() time.Duration {
	if s.Header.Load == nil {
		return 0
	}
	return max(0, min(s.Header.Load.Takes*9/10, s.Header.Load.Takes-time.Millisecond))
}

// again takes one more answer to a task, which its submitter cannot see. One that the harness sent beside the load, to
// see who answers, has no outcome here, but it was answered before.
func (a *Tasks) again(id uint64) {
	e := a.All[id]
	if e.Ends++; !e.Counted {
		e.Ends = 2
	}
	a.All[id] = e
}

func (a *Tasks) sight(t *history.Task, line int) {
	if _, ok := a.FirstOf[t.Outcome]; !ok && t.Outcome != history.OK {
		err := t.Err
		if t.Outcome == history.Hung { // the error is that of whoever gave it up
			err = ""
		}
		a.FirstOf[t.Outcome] = Sighting{t.ID, line, err}
	}
}

func (s *Ledger) run(r *history.Run) {
	one := Run{r.Start, r.End, int32(r.PID)}
	a := &s.Tasks
	e := a.All[r.Task]
	if e.Executions == 0 {
		e.first = one
	} else {
		a.More[r.Task] = append(a.More[r.Task], one)
	}
	e.Executions++
	a.Runs++
	a.All[r.Task] = e
}

// SubmittedTasks is a number of tasks of those that were submitted.
func (s *Ledger) SubmittedTasks(n int) Reading { return Count(n, s.Load.Count) }

// TasksThat counts the tasks with that outcome.
func (s *Ledger) TasksThat(o history.Outcome) Reading { return s.SubmittedTasks(s.Tasks.Outcomes[o]) }

// Wall is from the first submission to the last outcome.
func (s *Ledger) Wall() Reading {
	if s.Tasks.last == 0 {
		return Reading{}
	}
	return Reading{(s.Tasks.last - s.Tasks.submitted).Seconds(), s.Load.Count}
}

// String is "task 17 (its worker was lost)".
func (g Sighting) String() string {
	text := "task " + strconv.FormatUint(g.ID, 10)
	if g.Err != "" {
		text += " (" + g.Err + ")"
	}
	return text
}

package check

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// account is the ledger of tasks: what the submitter saw of each, beside what the tasks witnessed themselves.
type account struct {
	tasks     map[uint64]entry
	more      map[uint64][]run // the executions of a task after the first
	outcomes  map[history.Outcome]int
	firstOf   map[history.Outcome]sighting
	wrong     int
	settled   int
	runs      int
	submitted time.Duration // the first
	last      time.Duration // the last outcome

	latency [4]dist            // all, and by window
	open    map[uint64]ongoing // tasks that have not ended
	requeue dist               // from a death to the next execution of the task that it cut short
	sums    sums
}

// entry is one task. Its lines are kept as 32 bits, for there are many.
type entry struct {
	at       time.Duration // when it was settled
	first    run
	line     int32
	attempts int32
	runs     int32
	pid      int32 // who is said to have run it
	settles  uint8
	wrong    bool
	early    bool // settled sooner than it can have been done
	outcome  outcome
	counted  bool // submitted or settled: known to the submitter
}

// run is one execution as witnessed.
type run struct {
	start, end time.Duration
	pid        int32
}

// outcome is a history.Outcome in one byte; 0 is none.
type outcome uint8

var outcomes = []history.Outcome{"", history.OK, history.Wrong, history.Failed, history.Lost, history.Hung, history.Rejected}

// sighting is a task that shows something.
type sighting struct {
	id   uint64
	line int
	err  string
}

// sums is what can be told of the tasks only when all executions are known.
type sums struct {
	unsettled, duplicated, retried, unwitnessed, mostRuns, ran int
	bystanders                                                 int
	firstUnsettled, firstDuplicated, firstBystander            sighting
	firstUnwitnessed                                           sighting
	early                                                      int
	cut                                                        int // executions that a member's death ended
	firstEarly                                                 sighting
}

func (a *account) init() {
	a.tasks, a.more = map[uint64]entry{}, map[uint64][]run{}
	a.open = map[uint64]ongoing{}
	a.outcomes, a.firstOf = map[history.Outcome]int{}, map[history.Outcome]sighting{}
}

func (s *state) task(t *history.Task) {
	a := &s.account
	e := a.tasks[t.ID]
	switch t.Op {
	case history.Submitted:
		if !e.counted {
			s.load.submitted(s)
			if e.line == 0 {
				e.line = int32(s.line)
			}
		}
		e.counted = true
		if e.outcome == 0 {
			a.open[t.ID] = ongoing{s.now, s.line}
		}
	case history.Settled:
		delete(a.open, t.ID)
		e = s.settled(e, t)
	}
	a.tasks[t.ID] = e
}

func (s *state) settled(e entry, t *history.Task) entry {
	a := &s.account
	if !e.counted { // its submission is not in the record
		s.load.submitted(s)
		e.counted = true
	}
	if slices.Index(outcomes, t.Outcome) <= 0 {
		s.odd("task %d ended with the outcome %q", t.ID, t.Outcome)
	}
	if t.Outcome == history.Wrong && !e.wrong {
		e.wrong = true
		a.wrong++
		a.sight(t, s.line)
	}
	e.attempts = max(e.attempts, int32(t.Attempts))
	if e.outcome != 0 {
		if outcomes[e.outcome] != history.Hung {
			e.settles++
		}
		return e
	}
	e.outcome = outcome(max(0, slices.Index(outcomes, t.Outcome)))
	e.at, e.line, e.pid = s.now, int32(s.line), int32(t.PID)
	e.settles++
	a.outcomes[t.Outcome]++
	a.sight(t, s.line)
	a.last = s.now
	if t.Outcome != history.Hung {
		a.settled++
	}
	s.load.done(t, s)
	e.early = t.Latency < s.tooSoon()
	if (t.Outcome == history.OK || t.Outcome == history.Hung) && s.stage >= steady {
		a.latency[0].add(s.now-t.Latency, s.now, s.line)
		if w := int(s.stage-steady) + 1; w < len(a.latency) {
			a.latency[w].add(s.now-t.Latency, s.now, s.line)
		}
	}
	return e
}

// tooSoon is the time in which no task of the load can have been done: nine tenths of what it takes, for there are runtimes whose
// timers are up to a millisecond early. 0 where it is not known what a task takes.
func (s *state) tooSoon() time.Duration {
	if s.h.Load == nil {
		return 0
	}
	return s.h.Load.Takes * 9 / 10
}

// again takes one more answer to a task, which its submitter cannot see. Probes are no tasks of the load; one that the harness
// sent beside the load to see all slots at work has no outcome here, but it was answered before.
func (a *account) again(id uint64) {
	if id >= history.FirstProbe {
		return
	}
	e := a.tasks[id]
	if e.settles++; !e.counted {
		e.settles = 2
	}
	a.tasks[id] = e
}

func (a *account) sight(t *history.Task, line int) {
	if _, ok := a.firstOf[t.Outcome]; !ok && t.Outcome != history.OK {
		err := t.Err
		if t.Outcome == history.Hung { // the error is that of whoever gave it up
			err = ""
		}
		a.firstOf[t.Outcome] = sighting{t.ID, line, err}
	}
}

func (s *state) run(r *history.Run) {
	one := run{r.Start, r.End, int32(r.PID)}
	if r.Task >= history.FirstProbe || s.together.numbers[r.Task] {
		s.evidence.runs[r.Task] = append(s.evidence.runs[r.Task], one)
		return
	}
	a := &s.account
	e := a.tasks[r.Task]
	if e.runs == 0 {
		e.first = one
	} else {
		a.more[r.Task] = append(a.more[r.Task], one)
	}
	e.runs++
	a.runs++
	a.tasks[r.Task] = e
}

// submittedTasks is a number of tasks of those that were submitted.
func (s *state) submittedTasks(n int) reading { return count(n, s.load.count) }

func (s *state) tasksThat(o history.Outcome) reading { return s.submittedTasks(s.account.outcomes[o]) }

// wall is from the first submission to the last outcome.
func (s *state) wall() reading {
	if s.account.last == 0 {
		return reading{}
	}
	return reading{(s.account.last - s.account.submitted).Seconds(), s.load.count}
}

package ledger

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Evidence holds what answers say of who ran a task against what the tasks themselves witnessed, and the processes that
// ran them against those that the target tells as its members. It is known only when every execution is.
type Evidence struct {
	lives    map[int][]life // of members, by pid
	retired  history.Retirements
	listings []Span           // of members, where these come from listings
	runs     map[uint64][]Run // of tasks that are none of the load's
	named    []named          // answers to probing tasks
	Torn     int              // lines of the witness
	closed   time.Duration    // when the stage stop began
	struck   time.Duration    // when the stage chaos began

	outside, Unseen, misnamed                int
	overlapping                              [2]int // before the faults, and since
	FirstOutside, FirstUnseen, FirstMisnamed Sighting
	FirstOverlap                             Sighting // since the faults
}

// life is from when a member is first told of to its end; 0 for one that has not ended.
type life struct{ from, to time.Duration }

// Span is a time from its beginning to its end.
type Span struct{ from, to time.Duration }

// named is a process that is said to have run a task.
type named struct {
	task      uint64
	pid, line int
}

func (v *Evidence) init() { v.lives, v.runs = map[int][]life{}, map[uint64][]Run{} }

// member takes an event of a member's life.
func (v *Evidence) member(op history.MemberOp, pid int, at time.Duration) {
	lives := v.lives[pid]
	open := len(lives) > 0 && lives[len(lives)-1].to == 0
	switch {
	case pid <= 0:
	case op == history.Exited && open:
		lives[len(lives)-1].to = max(at, 1)
	case (op == history.Started || op == history.Ready) && !open:
		v.lives[pid] = append(lives, life{from: at})
	}
}

// finish is called when every execution and every member is known.
func (v *Evidence) finish(s *Ledger) {
	if s.Dropped > 0 || !s.Complete() {
		return // who is not in such a record may have been a member
	}
	// of processes that never were members at the time, from the first to the last of their executions
	by := map[int]Span{}
	strange := map[int][]uint64{}
	watched := len(v.lives) > 0 && (!s.listed() || len(v.listings) > 0)
	all := map[int][]execution{} // by pid
	note := func(task uint64, r Run) {
		all[int(r.PID)] = append(all[int(r.PID)], execution{task, r})
		if s.listed() && v.closed > 0 && r.Start > v.closed { // nobody lists a target that is being closed
			return
		}
		if pid := int(r.PID); watched && r.Start >= 0 && !v.lived(pid, r.Start) {
			whole, seen := by[pid]
			if !seen || r.Start < whole.from {
				whole.from = r.Start
			}
			whole.to = max(whole.to, r.Start, r.End)
			by[pid], strange[pid] = whole, append(strange[pid], task)
		} else if watched && r.Start >= 0 && !v.lived(pid, r.End) {
			v.outside++
			v.FirstOutside.before(s.Tasks.seen(task, s.Line, "it ended after its process "+strconv.Itoa(pid)+" had"))
		}
	}
	for id, e := range s.Tasks.All {
		runs := s.Tasks.RunsOf(id, e)
		for _, r := range runs {
			note(id, r)
		}
		if outcomes[e.Outcome] == history.OK && e.PID > 0 {
			v.check(named{id, int(e.PID), int(e.Line)}, runs)
		}
	}
	for id, runs := range v.runs {
		for _, r := range runs {
			note(id, r)
		}
	}
	for _, n := range v.named {
		v.check(n, v.runs[n.task])
	}
	for _, pid := range SortedKeys(all) {
		v.overlap(all[pid], s)
	}
	for _, pid := range SortedKeys(by) {
		first := s.Tasks.seen(slices.Min(strange[pid]), s.Line, "it ran in process "+strconv.Itoa(pid))
		if !s.listed() || v.looked(by[pid]) {
			v.outside += len(strange[pid])
			v.FirstOutside.before(first)
		} else {
			v.Unseen += len(strange[pid])
			v.FirstUnseen.before(first)
		}
	}
}

// execution is one with its task.
type execution struct {
	task uint64
	Run
}

// overlap counts the executions by one process that began while another one went on.
func (v *Evidence) overlap(runs []execution, s *Ledger) {
	slices.SortFunc(runs,
		func(a, b execution) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.task, b.task)) })
	until := time.Duration(math.MinInt64) // there are tasks from before the run, at negative times
	for _, r := range runs {
		switch {
		case r.Start >= until:
		case r.Start < v.struck:
			v.overlapping[0]++
		default:
			v.overlapping[1]++
			v.FirstOverlap.before(s.Tasks.seen(r.task, s.Line, "in process "+strconv.Itoa(int(r.PID))))
		}
		if r.End != 0 {
			until = max(until, r.End)
		}
	}
}

// seen is the task with that to be said of it, and the line of its end; of one that is not of the load, another line.
func (a *Tasks) seen(task uint64, line int, text string) Sighting {
	if e, ok := a.All[task]; ok && e.Line > 0 {
		line = int(e.Line)
	}
	return Sighting{task, line, text}
}

// lived tells whether the process was a member then. One that is told of late, since listings come one after the other,
// was one before; after its end a number may be given to a new one.
func (v *Evidence) lived(pid int, at time.Duration) bool {
	return slices.ContainsFunc(v.lives[pid], func(l life) bool { return l.to == 0 || at <= l.to })
}

// looked tells whether the members were listed, from the question to the answer, within that time.
func (v *Evidence) looked(whole Span) bool {
	i, _ := slices.BinarySearchFunc(v.listings, whole.from,
		func(l Span, at time.Duration) int { return cmp.Compare(l.from, at) })
	return i < len(v.listings) && v.listings[i].to <= whole.to
}

// check compares who is said to have run a task with who did. That nobody did is counted elsewhere.
func (v *Evidence) check(n named, runs []Run) {
	if len(runs) == 0 || slices.ContainsFunc(runs, func(r Run) bool { return int(r.PID) == n.pid }) {
		return
	}
	v.misnamed++
	v.FirstMisnamed.before(Sighting{n.task, n.line, "process " + strconv.Itoa(n.pid) + " is named, and process " +
		strconv.Itoa(int(runs[len(runs)-1].PID)) + " ran it"})
}

// answered is the line of the answer to a probing task; another one if there was none.
func (v *Evidence) answered(task uint64, otherwise int) int {
	if at := slices.IndexFunc(v.named, func(n named) bool { return n.task == task }); at >= 0 {
		return v.named[at].line
	}
	return otherwise
}

// RunsOf are the executions of a task that the harness sent to see who answers, in their order.
func (v *Evidence) RunsOf(task uint64) []Run { return v.runs[task] }

// before keeps the sighting whose line comes first, and of several the one of the lowest task.
func (g *Sighting) before(o Sighting) {
	if g.Line == 0 || o.Line < g.Line || o.Line == g.Line && o.ID < g.ID {
		*g = o
	}
}

// listed tells whether the members come from listings, so that one that lived between two is not told of.
func (s *Ledger) listed() bool { return !s.Can("exits") && s.Header.Target.Kind != "pool" }

// Gap is the longest time in which a member can have lived and died without a listing, from the first fault on.
func (v *Evidence) Gap() Reading {
	longest, n := time.Duration(0), 0
	for i := 1; i < len(v.listings); i++ {
		if one, next := v.listings[i-1], v.listings[i]; next.to >= v.struck && v.struck > 0 {
			longest = max(longest, next.to-one.from)
			n++
		}
	}
	return Reading{longest.Seconds(), n}
}

// Outside and misnamed need executions to compare with.
func (s *Ledger) Outside() Reading { return Count(s.Evidence.outside, s.Executions()) }

// Misnamed counts the answers that name a process which did not run the task.
func (s *Ledger) Misnamed() Reading { return Count(s.Evidence.misnamed, s.Executions()) }

// Executions counts the executions that are known, those of probing tasks too.
func (s *Ledger) Executions() int { return s.Tasks.Runs + len(s.Evidence.runs) }

// Overlapping counts the executions since the faults that began while another went on in their process. It is known
// where a queue before the faults would have shown the like.
func (s *Ledger) Overlapping() Reading {
	if len(s.Queues.Sides[0]) == 0 {
		return Reading{}
	}
	return Count(s.Evidence.overlapping[1], s.Executions())
}

// OneAtATime tells whether each process is to run one task at a time: it did when there were several for each before
// the faults.
func (s *Ledger) OneAtATime() bool {
	return s.Overlapping().Samples > 0 && s.Evidence.struck > 0 && s.Evidence.overlapping[0] == 0
}

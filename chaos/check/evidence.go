package check

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// evidence holds what answers say of who ran a task against what the tasks themselves witnessed, and the processes that ran
// them against those that the target tells as its members. It is known only when every execution is.
type evidence struct {
	lives    map[int][]life   // of members, by pid
	listings []span           // of members, where these come from listings
	runs     map[uint64][]run // of probing tasks
	named    []named          // answers to probing tasks
	torn     int              // lines of the witness
	closed   time.Duration    // when the stage stop began
	struck   time.Duration    // when the stage chaos began

	outside, unseen, misnamed                int
	firstOutside, firstUnseen, firstMisnamed sighting
}

// life is from when a member is first told of to its end; 0 for one that has not ended.
type life struct{ from, to time.Duration }

// span is a time from its beginning to its end.
type span struct{ from, to time.Duration }

// named is a process that is said to have run a task.
type named struct {
	task      uint64
	pid, line int
}

func (v *evidence) init() { v.lives, v.runs = map[int][]life{}, map[uint64][]run{} }

// member takes an event of a member's life.
func (v *evidence) member(op history.MemberOp, pid int, at time.Duration) {
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
func (v *evidence) finish(s *state) {
	if s.dropped > 0 || !s.complete() {
		return // who is not in such a record may have been a member
	}
	by := map[int]span{} // of processes that never were members at the time, from the first to the last of their executions
	strange := map[int][]uint64{}
	watched := len(v.lives) > 0 && (!s.listed() || len(v.listings) > 0)
	note := func(task uint64, r run) {
		if s.listed() && v.closed > 0 && r.start > v.closed { // nobody lists a target that is being closed
			return
		}
		if pid := int(r.pid); watched && r.start >= 0 && !v.lived(pid, r.start) {
			whole, seen := by[pid]
			if !seen || r.start < whole.from {
				whole.from = r.start
			}
			whole.to = max(whole.to, r.start, r.end)
			by[pid], strange[pid] = whole, append(strange[pid], task)
		}
	}
	for id, e := range s.account.tasks {
		runs := s.account.runsOf(id, e)
		for _, r := range runs {
			note(id, r)
		}
		if outcomes[e.outcome] == history.OK && e.pid > 0 {
			v.check(named{id, int(e.pid), int(e.line)}, runs)
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
	for _, pid := range sortedKeys(by) {
		first := sighting{id: slices.Min(strange[pid]), line: s.line, err: "it ran in process " + strconv.Itoa(pid)}
		if e, ok := s.account.tasks[first.id]; ok && e.line > 0 {
			first.line = int(e.line)
		}
		if !s.listed() || v.looked(by[pid]) {
			v.outside += len(strange[pid])
			v.firstOutside.before(first)
		} else {
			v.unseen += len(strange[pid])
			v.firstUnseen.before(first)
		}
	}
}

// lived tells whether the process was a member then. One that is told of late, since listings come one after the other, was
// one before; after its end a number may be given to a new one.
func (v *evidence) lived(pid int, at time.Duration) bool {
	return slices.ContainsFunc(v.lives[pid], func(l life) bool { return l.to == 0 || at <= l.to })
}

// looked tells whether the members were listed, from the question to the answer, within that time.
func (v *evidence) looked(whole span) bool {
	i, _ := slices.BinarySearchFunc(v.listings, whole.from, func(l span, at time.Duration) int { return cmp.Compare(l.from, at) })
	return i < len(v.listings) && v.listings[i].to <= whole.to
}

// check compares who is said to have run a task with who did. That nobody did is counted elsewhere.
func (v *evidence) check(n named, runs []run) {
	if len(runs) == 0 || slices.ContainsFunc(runs, func(r run) bool { return int(r.pid) == n.pid }) {
		return
	}
	v.misnamed++
	v.firstMisnamed.before(sighting{n.task, n.line, "process " + strconv.Itoa(n.pid) + " is named, and process " + strconv.Itoa(int(runs[len(runs)-1].pid)) + " ran it"})
}

// before keeps the sighting whose line comes first, and of several the one of the lowest task.
func (g *sighting) before(o sighting) {
	if g.line == 0 || o.line < g.line || o.line == g.line && o.id < g.id {
		*g = o
	}
}

// listed tells whether the members come from listings, so that one that lived between two is not told of.
func (s *state) listed() bool { return !s.can("exits") && s.h.Target.Kind != "pool" }

// gap is the longest time in which a member can have lived and died without a listing, from the first fault on.
func (v *evidence) gap() reading {
	longest, n := time.Duration(0), 0
	for i := 1; i < len(v.listings); i++ {
		if one, next := v.listings[i-1], v.listings[i]; next.to >= v.struck && v.struck > 0 {
			longest = max(longest, next.to-one.from)
			n++
		}
	}
	return reading{longest.Seconds(), n}
}

// outside and misnamed need executions to compare with.
func (s *state) outside() reading { return count(s.evidence.outside, s.executions()) }

func (s *state) misnamed() reading { return count(s.evidence.misnamed, s.executions()) }

func (s *state) executions() int { return s.account.runs + len(s.evidence.runs) }

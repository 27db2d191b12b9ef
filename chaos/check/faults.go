package check

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// faults is the ledger of injections.
type faults struct {
	all       map[int]*injection // by number
	byPID     map[int][]*injection
	broad     []*injection // aimed at the whole target or at its parent
	planned   int
	outcomes  map[history.FaultOutcome]int
	confirmed map[int]int // by the index of the nemesis
	fatal     int
	healed    int
	unhealed  []*injection
	effect    dist
	detection dist
	lag       dist
}

// injection is one fault on one victim, or on the whole target.
type injection struct {
	n, nemesis int
	line       int
	text       string
	victim     *history.Victim
	first      time.Duration // of its first record
	began      time.Duration // of its injected record
	injected   bool
	outcome    history.FaultOutcome
	err        string
	pids       []int    // that its receipt lists
	ends       []string // the reasons that members end for because of it
	closes     bool     // the target is to take no more tasks
	marker     string   // on the stderr of members that die of it
	fatal      bool
	died       time.Duration // of a fatal one
	settled    time.Duration
	healed     time.Duration
}

func (f *faults) init() {
	f.all, f.byPID = map[int]*injection{}, map[int][]*injection{}
	f.outcomes, f.confirmed = map[history.FaultOutcome]int{}, map[int]int{}
}

func (s *state) fault(e *history.Fault) {
	f := &s.faults
	i := f.all[e.N]
	if i == nil {
		i = &injection{n: e.N, nemesis: e.Nemesis, line: s.line, first: s.now}
		f.all[e.N] = i
	}
	i.text = cmp.Or(e.Fault, i.text)
	i.err = cmp.Or(e.Err, i.err)
	if e.Victim != nil && i.victim == nil {
		i.victim = e.Victim
		f.byPID[e.Victim.PID] = append(f.byPID[e.Victim.PID], i)
	}
	switch e.Op {
	case history.Planned:
		f.planned++
	case history.Injected:
		i.injected, i.began, i.ends, i.closes, i.marker = true, s.now, e.Ends, e.Closes, e.Marker
		if e.Due > 0 {
			f.lag.add(e.Due, s.now, s.line)
		}
		if i.victim == nil || i.victim.Slot < 0 {
			f.broad = append(f.broad, i)
		}
	case history.Concluded:
		s.settling.struck = s.now
		s.faultSettled(i, e)
	case history.Healed:
		s.settling.struck = s.now
		f.healed++
		i.healed = s.now
	case history.HealFailed:
		i.line = s.line
		f.unhealed = append(f.unhealed, i)
	}
}

func (s *state) faultSettled(i *injection, e *history.Fault) {
	f := &s.faults
	if i.outcome != "" {
		s.odd("injection %d is settled twice", i.n)
		return
	}
	i.outcome, i.line, i.settled = e.Outcome, s.line, s.now
	if e.Outcome == history.Confirmed && e.Receipt == nil {
		i.outcome, i.err = history.Unconfirmed, "it has no receipt"
	}
	f.outcomes[i.outcome]++
	if i.outcome != history.Confirmed {
		return
	}
	f.confirmed[e.Nemesis]++
	i.pids = e.Receipt.PIDs
	at := cmp.Or(e.Receipt.At, s.now)
	if i.injected {
		f.effect.add(i.began, at, s.line)
	}
	if !e.Fatal {
		return
	}
	f.fatal++
	i.fatal, i.died = true, at
	if v := i.victim; v != nil && v.Slot >= 0 {
		s.crew.deaths[v.PID] = append(s.crew.deaths[v.PID], at)
		d := death{n: i.n, slot: v.Slot, pid: v.PID, at: at, line: s.line}
		s.whole.add(change{at: at, kind: died, line: s.line, slot: v.Slot, n: v.PID})
		if s.stage < stop && !s.stopped {
			s.slots.died(d, s.can("events"))
		}
	}
}

// lateness is how much later than its effect the record of an injection may come.
const lateness = time.Second

// cause is the injection that explains the exit, nil when nobody caused it.
func (s *state) cause(x *exit) *injection {
	for _, i := range s.faults.byPID[x.PID] {
		if i.did() && i.first <= x.at+lateness && x.since <= i.over() && !s.spent(i, x) {
			return i
		}
	}
	for _, i := range s.faults.broad {
		if i.did() && i.began <= x.at+lateness && i.ended(x) {
			return i
		}
	}
	return nil
}

// ended tells whether a fault on the whole target, which had begun, ended that member: the death of the parent takes
// everybody along, others only those that say so themselves or that they name, and these while they last.
func (i *injection) ended(x *exit) bool {
	switch {
	case i.victim != nil, i.marks(x):
		return true
	case x.since > i.over():
		return false
	case slices.Contains(i.pids, x.PID), x.Reason != "" && slices.Contains(i.ends, x.Reason):
		return true
	}
	return !x.ready && slices.Contains(i.ends, "boot")
}

// marks tells whether the member wrote, as a line of its own, that it dies of that fault.
func (i *injection) marks(x *exit) bool {
	return i.marker != "" && x.Exit != nil && slices.Contains(strings.Split(x.Exit.Stderr, "\n"), i.marker)
}

// over is until when the injection may have begun to end members: it was healed, or is known not to have been fatal to its
// victim, or to be done with the target as a whole. What was not settled, or not confirmed, may have an effect for ever.
func (i *injection) over() time.Duration {
	switch {
	case i.healed > 0:
		return i.healed + lateness
	case i.outcome == history.Confirmed && !i.fatal, i.outcome != "" && i.victim == nil:
		return i.settled + lateness
	}
	return math.MaxInt64
}

// reaction is how soon after an injection an exit that it does not explain is told together with it.
const reaction = time.Second

// provoked is the last injection on another member, or on the whole target, that had taken effect shortly before that exit;
// nil when there is none.
func (s *state) provoked(x *exit) (last *injection) {
	for _, n := range sortedKeys(s.faults.all) {
		i := s.faults.all[n]
		if i.did() && i.injected && i.took() <= x.at && x.at-i.took() <= reaction && (last == nil || i.took() > last.took()) {
			last = i
		}
	}
	return last
}

// took is when the injection took effect.
func (i *injection) took() time.Duration {
	if i.fatal {
		return i.died
	}
	return i.began
}

// spent tells whether the injection hit an earlier process with the same pid, which ended of it.
func (s *state) spent(i *injection, x *exit) bool {
	return slices.ContainsFunc(s.crew.ends[x.PID], func(at time.Duration) bool { return at < x.at && at >= i.first-lateness })
}

// did tells whether the injection was really tried, or is about to be.
func (i *injection) did() bool {
	switch i.outcome {
	case history.AlreadyGone, history.Refused, history.Missed:
		return false
	case "":
		return true
	}
	return i.injected || i.outcome == history.Confirmed
}

// unexplained finds the deaths that nobody caused, and collateral those of survivors that the target itself ended.
func (s *state) unexplained(x *exit) bool { return x.Reason == "" && s.cause(x) == nil }
func (s *state) collateral(x *exit) bool  { return x.Reason != "" && s.cause(x) == nil }

// causes is what explains each exit, by its line.
func (s *state) causes() map[int]int {
	causes := make(map[int]int, len(s.crew.exits))
	for k := range s.crew.exits {
		x := &s.crew.exits[k]
		causes[x.line] = 0
		if i := s.cause(x); i != nil {
			causes[x.line] = i.n
		} else if x.Reason == "" {
			causes[x.line] = Unexplained
		}
	}
	return causes
}

// detect measures from each injection to the exit of its victim as the target told it.
func (s *state) detect() {
	for k := range s.crew.exits {
		x := &s.crew.exits[k]
		for _, i := range slices.Backward(s.faults.byPID[x.PID]) {
			if i.injected && i.began <= x.at {
				s.faults.detection.add(i.began, x.at, x.line)
				break
			}
		}
	}
}

// begun counts the injections that were begun.
func (s *state) begun() int {
	n := 0
	for _, i := range s.faults.all {
		if i.injected {
			n++
		}
	}
	return n
}

// faultsThat counts the injections with the outcome.
func (s *state) faultsThat(outcome history.FaultOutcome) reading {
	return s.injections(s.faults.outcomes[outcome])
}

// injections is a number of injections: the harness's own account is there even if there was nothing to do.
func (s *state) injections(n int) reading {
	return count(n, max(1, s.faults.planned, len(s.faults.all)))
}

// shrunk is when the last injection began that makes the target end members that it is no longer to have.
func (f *faults) shrunk() time.Duration {
	for _, i := range slices.Backward(f.broad) {
		if slices.Contains(i.ends, "stop") {
			return i.began
		}
	}
	return math.MaxInt64
}

func sortedKeys[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }

// endedParent tells whether an injection had ended the target's parent by then: what it had not begun ended with it.
func (f *faults) endedParent(by time.Duration) bool {
	for _, i := range f.all {
		if i.victim != nil && i.victim.Slot < 0 && i.fatal && i.outcome == history.Confirmed && i.began <= by {
			return true
		}
	}
	return false
}

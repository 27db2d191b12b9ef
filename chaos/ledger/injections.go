package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Injections is the ledger of injections.
type Injections struct {
	List      []*Injection       // in the order in which the history first tells of them
	ByN       map[int]*Injection // by number
	ByPID     map[int][]*Injection
	Broad     []*Injection // aimed at the whole target or at its parent
	Planned   int
	Outcomes  map[history.FaultOutcome]int
	Confirmed map[int]int // by the index of the nemesis
	Told      int         // of all that are confirmed, those of which the target's word is the one witness
	Fatal     int
	Healed    int
	Unhealed  []*Injection
	Effect    Dist
	Detection Dist
	Lag       Dist
}

// Injection is one fault on one victim, or on the whole target.
type Injection struct {
	N, Nemesis int
	Line       int             // of the history that says most of it
	Lines      []int           // all that tell of it
	Text       string          // the fault in its one-line form
	Victim     *history.Victim // nil: the whole target
	Planned    bool            // a record tells of its plan
	Due        time.Duration   // when the plan wanted it
	First      time.Duration   // of its first record
	Began      time.Duration   // of its injected record
	Injected   bool
	Outcome    history.FaultOutcome
	Err        string
	HealErr    string           // why it could not be undone
	Receipt    *history.Receipt // nil: there is none
	PIDs       []int            // that its receipt lists
	ends       []string         // the reasons that members end for because of it
	closes     bool             // the target is to take no more tasks
	leads      bool             // which broker leads is to change
	marker     string           // on the stderr of members that die of it
	Fatal      bool
	Died       time.Duration // of a fatal one
	Settled    time.Duration
	Healed     time.Duration
}

func (f *Injections) init() {
	f.ByN, f.ByPID = map[int]*Injection{}, map[int][]*Injection{}
	f.Outcomes, f.Confirmed = map[history.FaultOutcome]int{}, map[int]int{}
}

func (s *Ledger) fault(e *history.Fault) {
	f := &s.Injections
	i := f.ByN[e.N]
	if i == nil {
		i = &Injection{N: e.N, Nemesis: e.Nemesis, Line: s.Line, First: s.Now}
		f.ByN[e.N] = i
		f.List = append(f.List, i)
	}
	i.Lines = append(i.Lines, s.Line)
	i.Due = cmp.Or(e.Due, i.Due)
	i.Text = cmp.Or(e.Fault, i.Text)
	i.Err = cmp.Or(e.Err, i.Err)
	if e.Victim != nil && i.Victim == nil {
		i.Victim = e.Victim
		f.ByPID[e.Victim.PID] = append(f.ByPID[e.Victim.PID], i)
	}
	switch e.Op {
	case history.Planned:
		i.Planned = true
		f.Planned++
	case history.Injected:
		i.Injected, i.Began, i.ends, i.closes, i.leads, i.marker = true, s.Now, e.Ends, e.Closes, e.Leads, e.Marker
		s.Gaps.struck = s.Gaps.struck || s.ofBroker(i)
		if e.Due > 0 {
			f.Lag.add(e.Due, s.Now, s.Line)
		}
		if i.Victim == nil || i.Victim.Slot < 0 {
			f.Broad = append(f.Broad, i)
		}
	case history.Concluded:
		s.Settling.Struck = s.Now
		s.faultSettled(i, e)
	case history.Healed:
		s.Settling.Struck = s.Now
		f.Healed++
		i.Healed = s.Now
	case history.HealFailed:
		i.Line, i.HealErr = s.Line, e.Err
		f.Unhealed = append(f.Unhealed, i)
	}
}

func (s *Ledger) faultSettled(i *Injection, e *history.Fault) {
	f := &s.Injections
	if i.Outcome != "" {
		s.malformed("injection %d is settled twice", i.N)
		return
	}
	i.Outcome, i.Line, i.Settled = e.Outcome, s.Line, s.Now
	if e.Outcome == history.Confirmed && e.Receipt == nil {
		i.Outcome, i.Err = history.Unconfirmed, "it has no receipt"
	}
	i.Receipt = e.Receipt
	f.Outcomes[i.Outcome]++
	if i.Outcome != history.Confirmed {
		return
	}
	f.Confirmed[e.Nemesis]++
	if e.Receipt.Tier == history.ToldByTarget {
		f.Told++
	}
	i.PIDs = e.Receipt.PIDs
	at := cmp.Or(e.Receipt.At, s.Now)
	if i.Injected {
		f.Effect.add(i.Began, at, s.Line)
	}
	if !e.Fatal {
		return
	}
	f.Fatal++
	i.Fatal, i.Died = true, at
	if v := i.Victim; v != nil && v.Slot >= 0 {
		s.Members.deaths[v.PID] = append(s.Members.deaths[v.PID], at)
		d := &Death{N: i.N, Slot: v.Slot, PID: v.PID, At: at, Line: s.Line}
		s.Whole.add(change{at: at, kind: died, line: s.Line, slot: v.Slot, n: v.PID})
		if s.Stage < stop && !s.Stopped {
			s.Slots.died(d, s.Can("events"))
		}
	}
}

// lateness is how much later than its effect the record of an injection may come.
const lateness = time.Second

// Cause is the injection that explains the exit, nil when nobody caused it.
func (s *Ledger) Cause(x *Exit) *Injection {
	for _, i := range s.Injections.ByPID[x.PID] {
		if i.did() && i.First <= x.Ended+lateness && x.Since <= i.over() && !s.spent(i, x) {
			return i
		}
	}
	for _, i := range s.Injections.Broad {
		if i.did() && i.Began <= x.Ended+lateness && i.ended(x) {
			return i
		}
	}
	return nil
}

// ended tells whether a fault on the whole target, which had begun, ended that member: the death of the parent takes
// everybody along, others only those that say so themselves or that they name, and these while they last.
func (i *Injection) ended(x *Exit) bool {
	switch {
	case i.Victim != nil, i.marks(x):
		return true
	case x.Since > i.over():
		return false
	case slices.Contains(i.PIDs, x.PID), x.Reason != "" && slices.Contains(i.ends, x.Reason):
		return true
	}
	return !x.WasReady && slices.Contains(i.ends, "boot")
}

// marks tells whether the member wrote, as a line of its own, that it dies of that fault.
func (i *Injection) marks(x *Exit) bool {
	return i.marker != "" && x.Exit != nil && slices.Contains(strings.Split(x.Exit.Stderr, "\n"), i.marker)
}

// over is until when the injection may have begun to end members: it was healed, or is known not to have been fatal to
// its victim, or to be done with the target as a whole. What was not settled, or not confirmed, may have an effect for
// ever.
func (i *Injection) over() time.Duration {
	switch {
	case i.Healed > 0:
		return i.Healed + lateness
	case i.Outcome == history.Confirmed && !i.Fatal, i.Outcome != "" && i.Victim == nil:
		return i.Settled + lateness
	}
	return math.MaxInt64
}

// reaction is how soon after an injection an exit that it does not explain is told together with it.
const reaction = time.Second

// Provoked is the last injection on another member, or on the whole target, that had taken effect shortly before that
// exit; nil when there is none.
func (s *Ledger) Provoked(x *Exit) (last *Injection) {
	for _, n := range SortedKeys(s.Injections.ByN) {
		i := s.Injections.ByN[n]
		if i.did() && i.Injected && i.Took() <= x.Ended && x.Ended-i.Took() <= reaction &&
			(last == nil || i.Took() > last.Took()) {
			last = i
		}
	}
	return last
}

// Took is when the injection took effect.
func (i *Injection) Took() time.Duration {
	if i.Fatal {
		return i.Died
	}
	return i.Began
}

// spent tells whether the injection hit an earlier process with the same pid, which ended of it.
func (s *Ledger) spent(i *Injection, x *Exit) bool {
	return slices.ContainsFunc(s.Members.ends[x.PID],
		func(at time.Duration) bool { return at < x.Ended && at >= i.First-lateness })
}

// did tells whether the injection was really tried, or is about to be.
func (i *Injection) did() bool {
	switch i.Outcome {
	case history.AlreadyGone, history.Refused, history.Missed:
		return false
	case "":
		return true
	}
	return i.Injected || i.Outcome == history.Confirmed
}

// Unexplained finds the deaths that nobody caused, and collateral those of survivors that the target itself ended.
func (s *Ledger) Unexplained(x *Exit) bool { return s.unasked(x) && !(s.Ranged() && orderly(x)) }

// ScaledDown tells whether the target ended the member to have fewer, as far as can be told: its number of members is
// its own affair, nobody struck this one, and it is not known to have crashed.
func (s *Ledger) ScaledDown(x *Exit) bool { return s.unasked(x) && s.Ranged() && orderly(x) }

// unasked tells of an exit that neither the target nor an injection explains.
func (s *Ledger) unasked(x *Exit) bool { return x.Reason == "" && s.Cause(x) == nil }

// orderly tells whether a process ended as one does that was asked to, or nobody saw how.
func orderly(x *Exit) bool {
	switch e := x.Exit; {
	case e == nil:
		return true
	case e.Signal != "":
		return slices.Contains([]string{"SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"}, e.Signal)
	default:
		return e.Code == 0
	}
}

// Collateral tells whether the target itself ended the member, and no injection explains that.
func (s *Ledger) Collateral(x *Exit) bool { return x.Reason != "" && s.Cause(x) == nil }

// Causes is what explains each exit, by its line.
func (s *Ledger) Causes() map[int]int {
	causes := make(map[int]int, len(s.Members.Exits))
	for k := range s.Members.Exits {
		x := &s.Members.Exits[k]
		causes[x.Line] = 0
		if i := s.Cause(x); i != nil {
			causes[x.Line] = i.N
		} else if s.Unexplained(x) {
			causes[x.Line] = Unexplained
		}
	}
	return causes
}

// detect measures from each injection to the exit of its victim as the target told it.
func (s *Ledger) detect() {
	for k := range s.Members.Exits {
		x := &s.Members.Exits[k]
		for _, i := range slices.Backward(s.Injections.ByPID[x.PID]) {
			if i.Injected && i.Began <= x.Ended {
				s.Injections.Detection.add(i.Began, x.Ended, x.Line)
				break
			}
		}
	}
}

// Begun counts the injections that were begun.
func (s *Ledger) Begun() int {
	n := 0
	for _, i := range s.Injections.ByN {
		if i.Injected {
			n++
		}
	}
	return n
}

// FaultsThat counts the injections with the outcome.
func (s *Ledger) FaultsThat(outcome history.FaultOutcome) Reading {
	return s.CountOf(s.Injections.Outcomes[outcome])
}

// CountOf is a number of injections: the harness's own account is there even if there was nothing to do.
func (s *Ledger) CountOf(n int) Reading {
	return Count(n, max(1, s.Injections.Planned, len(s.Injections.ByN)))
}

// shrunk is when the last injection began that makes the target end members that it is no longer to have.
func (f *Injections) shrunk() time.Duration {
	for _, i := range slices.Backward(f.Broad) {
		if slices.Contains(i.ends, "stop") {
			return i.Began
		}
	}
	return math.MaxInt64
}

// SortedKeys is the keys of the map, ascending.
func SortedKeys[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }

// EndedParent tells whether an injection had ended the target's parent by then: what it had not begun ended with it.
func (f *Injections) EndedParent(by time.Duration) bool {
	for _, i := range f.ByN {
		if i.Victim != nil && i.Victim.Slot < 0 && i.Fatal && i.Outcome == history.Confirmed && i.Began <= by {
			return true
		}
	}
	return false
}

// String is "17 (signal KILL on slot 3, pid 411)".
func (i *Injection) String() string {
	text := cmp.Or(i.Text, "fault")
	if v := i.Victim; v != nil && v.Slot >= 0 {
		text += fmt.Sprintf(" on slot %d, pid %d", v.Slot, v.PID)
	}
	return fmt.Sprintf("%d (%s)", i.N, text)
}

// Deed is the injection as what was done: "the end of slot 3, pid 411, by injection 17 (signal KILL)", "injection 2
// (resize 4)".
func (i *Injection) Deed() string {
	if v := i.Victim; i.Fatal && v != nil && v.Slot >= 0 {
		return fmt.Sprintf("the end of slot %d, pid %d, by injection %d (%s)",
			v.Slot, v.PID, i.N, cmp.Or(i.Text, "fault"))
	}
	return "injection " + i.String()
}

// Unexplained stands in Ledger.Causes for an exit that nobody caused.
const Unexplained = -1

package check

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// faults is the ledger of injections.
type faults struct {
	all       map[int]*injection // by number
	byPID     map[int][]*injection
	broad     []*injection // aimed at the whole target or at its parent
	planned   int
	outcomes  map[string]int
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
	outcome    string
	err        string
	pids       []int // that its receipt lists
	healed     time.Duration
}

func (f *faults) init() {
	f.all, f.byPID = map[int]*injection{}, map[int][]*injection{}
	f.outcomes, f.confirmed = map[string]int{}, map[int]int{}
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
	case "planned":
		f.planned++
	case "injected":
		i.injected, i.began = true, s.now
		if e.Due > 0 {
			f.lag.add(max(0, s.now-e.Due), s.line)
		}
		if i.victim == nil || i.victim.Slot < 0 {
			f.broad = append(f.broad, i)
		}
	case "settled":
		s.faultSettled(i, e)
	case "healed":
		f.healed++
		i.healed = s.now
	case "heal-failed":
		i.line = s.line
		f.unhealed = append(f.unhealed, i)
	}
}

func (s *state) faultSettled(i *injection, e *history.Fault) {
	f := &s.faults
	i.outcome, i.line = e.Outcome, s.line
	f.outcomes[e.Outcome]++
	if e.Outcome != "confirmed" {
		return
	}
	f.confirmed[e.Nemesis]++
	at := s.now
	if e.Receipt != nil {
		i.pids = e.Receipt.PIDs
		at = cmp.Or(e.Receipt.At, at)
	}
	if i.injected {
		f.effect.add(max(0, at-i.began), s.line)
	}
	if !e.Fatal {
		return
	}
	f.fatal++
	if v := i.victim; v != nil && v.Slot >= 0 {
		s.crew.deaths[v.PID] = append(s.crew.deaths[v.PID], at)
		d := death{n: i.n, slot: v.Slot, pid: v.PID, at: at, line: s.line}
		s.whole.died(d, s)
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
		if i.did() && i.first <= x.at+lateness && !s.spent(i, x) {
			return i
		}
	}
	for _, i := range s.faults.broad {
		switch {
		case i.began > x.at+lateness || i.healed > 0 && x.at > i.healed+lateness || !i.did():
		case i.victim != nil, x.Reason != "", !x.ready, slices.Contains(i.pids, x.PID):
			return i
		}
	}
	return nil
}

// spent tells whether the injection hit an earlier process with the same pid, which ended of it.
func (s *state) spent(i *injection, x *exit) bool {
	return slices.ContainsFunc(s.crew.ends[x.PID], func(at time.Duration) bool { return at < x.at && at >= i.first-lateness })
}

// did tells whether the injection was really tried, or is about to be.
func (i *injection) did() bool {
	switch i.outcome {
	case "already_gone", "refused", "missed":
		return false
	case "":
		return true
	}
	return i.injected || i.outcome == "confirmed"
}

// unexplained finds the deaths that nobody caused, and collateral those of survivors that the target itself ended.
func (s *state) unexplained(x *exit) bool { return x.Reason == "" && s.cause(x) == nil }
func (s *state) collateral(x *exit) bool  { return x.Reason != "" && s.cause(x) == nil }

// detect measures from each injection to the exit of its victim as the target told it.
func (s *state) detect() {
	for k := range s.crew.exits {
		x := &s.crew.exits[k]
		for _, i := range slices.Backward(s.faults.byPID[x.PID]) {
			if i.injected && i.began <= x.at {
				s.faults.detection.add(x.at-i.began, x.line)
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
func (s *state) faultsThat(outcome string) reading { return s.injections(s.faults.outcomes[outcome]) }

// injections is a number of injections: the harness's own account is there even if there was nothing to do.
func (s *state) injections(n int) reading {
	return count(n, max(1, s.faults.planned, len(s.faults.all)))
}

func sortedKeys[V any](m map[int]V) []int { return slices.Sorted(maps.Keys(m)) }

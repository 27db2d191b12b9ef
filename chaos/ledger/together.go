package ledger

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Together follows the tasks that were sent to all slots at once, before the faults and at the end: who was at work at
// the same time, and how long the quickest answer of each took beyond the length of its task.
type Together struct {
	sent  map[uint64]asked
	Sides [2]Side
}

// asked is one such task that has no answer yet.
type asked struct {
	at, hold time.Duration
	side     int
}

// answered is one that has its answer, and how long it lasts.
type answered struct {
	history.Run
	hold time.Duration
}

// wait is how long a member took over such a task: since it was sent, less its length.
type wait struct {
	pid      int
	from, to time.Duration
	took     time.Duration
}

// Side is those before the faults, or those at the end.
type Side struct {
	sent    int
	first   time.Duration // when the first was sent
	last    time.Duration // the last answer, or failure
	answers []answered    // by whom they are said to be, and when each must have run at the latest
	waits   []wait        // for these answers
	Line    int
	Failed  int
	Failure string
}

func (g *Together) init() {
	g.sent = map[uint64]asked{}
}

// probe takes what a history tells of one of these tasks.
func (g *Together) probe(e *history.Probe, s *Ledger) {
	at := 0
	if s.Stage >= Chaos {
		at = 1
	}
	w := &g.Sides[at]
	if e.Op == history.Sent {
		if w.sent == 0 {
			w.first = s.Now
		}
		w.sent++
		w.Line = s.Line
		g.sent[e.Task] = asked{s.Now, e.Hold, at}
		return
	}
	a, ok := g.sent[e.Task]
	if !ok || a.side != at {
		s.malformed("task %d ended though it was not sent to any slot", e.Task)
		return
	}
	delete(g.sent, e.Task)
	w.last = s.Now
	if e.Op != history.Answered {
		w.Failed++
		w.Failure = e.Err
		return
	}
	s.Evidence.named = append(s.Evidence.named, named{e.Task, e.PID, s.Line})
	run := history.Run{Task: e.Task, PID: e.PID, Start: max(a.at, s.Now-a.hold), End: s.Now}
	w.answers = append(w.answers, answered{run, a.hold})
	w.waits = append(w.waits, wait{e.PID, a.at, s.Now, max(0, s.Now-a.at-a.hold)})
}

// members is how many were at work at once: by the part of each witnessed execution in which its process must have
// been, for one that waits for another is not, and members alone that still took tasks; if nobody witnesses, as they
// must have been to last as long as they did. If a host is given, an execution may have lasted longer by the time for
// which that was starved, unless some tasks were far longer than that held anybody up.
func (w *Side) members(s *Ledger, calm *Host) int {
	if calm != nil && slices.ContainsFunc(w.answers,
		func(a answered) bool { return a.hold >= farLonger*calm.Worst.Latest }) {
		calm = nil
	}
	var runs []history.Run
	add := func(r history.Run, hold time.Duration) {
		if calm != nil {
			hold += calm.Within(r.Start, r.End)
		}
		if s.Evidence.lived(r.PID, r.Start) && !s.Evidence.retired.Retired(r.PID, r.Start) {
			runs = append(runs, r.AtWork(hold))
		}
	}
	for _, a := range w.answers {
		if !s.Can("witness") {
			add(a.Run, a.hold)
			continue
		}
		for _, r := range s.Evidence.runs[a.Task] {
			add(history.Run{Task: a.Task, PID: int(r.PID), Start: r.Start, End: r.End}, a.hold)
		}
	}
	return history.Together(runs)
}

// farLonger is how many times as long as the latest of the harness's own sleeps on a starved host a task must last for
// that host not to be why members were not at work on it at once: it begins and ends with two wake-ups each.
const farLonger = 5

// slow counts the members whose quickest answer at the end took far longer than half of them did before the faults.
// Either is taken without the time for which a host was starved meanwhile, if one is given.
func (g *Together) slow(before, end *Host) (n int) {
	limit := history.Slow(history.Usual(g.Sides[0].quickest(before)))
	for _, took := range g.Sides[1].quickest(end) {
		if took > limit {
			n++
		}
	}
	return n
}

// quickest is the time of each member's quickest answer, by pid.
func (w *Side) quickest(calm *Host) map[int]time.Duration {
	quick := map[int]time.Duration{}
	for _, a := range w.waits {
		took := a.took
		if calm != nil {
			took = max(0, took-calm.Within(a.from, a.to))
		}
		if best, ok := quick[a.pid]; !ok || took < best {
			quick[a.pid] = took
		}
	}
	return quick
}

// AtWorkTogether is known where such tasks were sent.
func (s *Ledger) AtWorkTogether() Reading { return s.together(nil) }

func (s *Ledger) together(calm *Host) Reading {
	w := &s.Together.Sides[1]
	return Count(w.members(s, calm), w.sent)
}

// Apart counts the slots that were not at work at the same time as the others at the end.
func (s *Ledger) Apart() Reading { return s.apart(nil) }

// CalmApart is the same with executions that may have lasted longer by what a starved host took.
func (s *Ledger) CalmApart() Reading { return s.apart(&s.Host) }

func (s *Ledger) apart(calm *Host) Reading {
	r := s.together(calm)
	r.Value = max(0, float64(s.Workers())-r.Value)
	return r
}

// Workers is how many members are to run tasks.
func (s *Ledger) Workers() int {
	return max(0, s.Whole.Want-s.Header.Target.Brokers-s.Header.Target.Owners)
}

// Places is how many tasks all of these run at a time.
func (s *Ledger) Places() int { return s.Workers() * max(1, s.Header.Target.Places) }

// SlowMembers are those that are slow if what a starved host took before the faults makes no member's time longer: a
// host that was busy then is no licence to be slow at the end.
func (s *Ledger) SlowMembers() Reading { return s.slower(&s.Host, nil) }

// CalmSlowMembers are those that are slow though they are given what a starved host took at the end.
func (s *Ledger) CalmSlowMembers() Reading { return s.slower(nil, &s.Host) }

func (s *Ledger) slower(before, end *Host) Reading {
	sides := &s.Together.Sides
	return Count(s.Together.slow(before, end), min(sides[0].sent, len(sides[1].waits)))
}

// AnswerTime is the longest of the quickest answers of each member, before the faults or at the end.
func (s *Ledger) AnswerTime(at int) Reading {
	quick := s.Together.Sides[at].quickest(nil)
	return Reading{history.Longest(quick).Seconds(), len(quick)}
}

// UsualAnswerTime is what the answers at the end are compared with: what half of the members took at most before the
// faults, with what a starved host took and without.
func (s *Ledger) UsualAnswerTime() (was, calm time.Duration) {
	side := &s.Together.Sides[0]
	return history.Usual(side.quickest(nil)), history.Usual(side.quickest(&s.Host))
}

// AskedTogether tells whether the slots were asked at once, and can be expected to have answered.
func (s *Ledger) AskedTogether() bool {
	return s.Together.Sides[1].sent > 0 && s.Silent().Value == 0
}

// TimedTogether tells whether the answers can be compared with those before the faults, too.
func (s *Ledger) TimedTogether() bool { return s.AskedTogether() && s.SlowMembers().Samples > 0 }

// AskedForLong tells whether the slots were asked for so long that a busy host cannot be why they were not at work at
// once.
func (s *Ledger) AskedForLong() bool {
	w := &s.Together.Sides[1]
	return w.last-w.first >= history.Patience(s.Workers())
}

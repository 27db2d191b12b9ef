package check

import (
	"slices"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// together follows the tasks that were sent to all slots at once, before the faults and at the end: who was at work at the same
// time, and how long the quickest answer of each took beyond the length of its task.
type together struct {
	sent    map[uint64]asked
	numbers map[uint64]bool // of all such tasks
	sides   [2]side
}

// asked is one such task that has no answer yet.
type asked struct {
	at, hold time.Duration
	side     int
}

// wait is how long a member took over such a task: since it was sent, less its length.
type wait struct {
	pid      int
	from, to time.Duration
	took     time.Duration
}

// side is those before the faults, or those at the end.
type side struct {
	sent    int
	first   time.Duration // when the first was sent
	last    time.Duration // the last answer, or failure
	answers []history.Run // by whom they are said to be, and when each must have run at the latest
	waits   []wait        // for these answers
	line    int
	failed  int
	failure string
}

func (g *together) init() {
	g.sent, g.numbers = map[uint64]asked{}, map[uint64]bool{}
}

// probe takes what a history tells of one of these tasks.
func (g *together) probe(e *history.Probe, s *state) {
	at := 0
	if s.stage >= chaos {
		at = 1
	}
	w := &g.sides[at]
	if e.Op == history.Sent {
		if w.sent == 0 {
			w.first = s.now
		}
		w.sent++
		w.line = s.line
		g.sent[e.Task], g.numbers[e.Task] = asked{s.now, e.Hold, at}, true
		return
	}
	a, ok := g.sent[e.Task]
	if !ok || a.side != at {
		s.odd("task %d ended though it was not sent to any slot", e.Task)
		return
	}
	delete(g.sent, e.Task)
	w.last = s.now
	if e.Op != history.Answered {
		w.failed++
		w.failure = e.Err
		return
	}
	s.evidence.named = append(s.evidence.named, named{e.Task, e.PID, s.line})
	w.answers = append(w.answers, history.Run{Task: e.Task, PID: e.PID, Start: max(a.at, s.now-a.hold), End: s.now})
	w.waits = append(w.waits, wait{e.PID, a.at, s.now, max(0, s.now-a.at-a.hold)})
}

// members is how many were at work at once: as the tasks themselves witnessed, and members alone; if nobody does, as they must
// have been to last as long as they did.
func (w *side) members(s *state) int {
	runs := w.answers
	if s.can("witness") {
		runs = nil
		for _, a := range w.answers {
			for _, r := range s.evidence.runs[a.Task] {
				runs = append(runs, history.Run{Task: a.Task, PID: int(r.pid), Start: r.start, End: r.end})
			}
		}
	}
	return history.Together(slices.DeleteFunc(runs, func(r history.Run) bool { return !s.evidence.lived(r.PID, r.Start) }))
}

// slow counts the members whose quickest answer at the end took far longer than any did before the faults. Either is taken
// without the time for which a host was starved meanwhile, if one is given.
func (g *together) slow(before, end *host) (n int) {
	limit := history.Slow(longest(g.sides[0].quickest(before)))
	for _, took := range g.sides[1].quickest(end) {
		if took > limit {
			n++
		}
	}
	return n
}

// quickest is the time of each member's quickest answer, by pid.
func (w *side) quickest(calm *host) map[int]time.Duration {
	quick := map[int]time.Duration{}
	for _, a := range w.waits {
		took := a.took
		if calm != nil {
			took = max(0, took-calm.within(a.from, a.to))
		}
		if best, ok := quick[a.pid]; !ok || took < best {
			quick[a.pid] = took
		}
	}
	return quick
}

func longest(quick map[int]time.Duration) (most time.Duration) {
	for _, took := range quick {
		most = max(most, took)
	}
	return most
}

// together is known where such tasks were sent.
func (s *state) atWorkTogether() reading {
	w := &s.together.sides[1]
	return count(w.members(s), w.sent)
}

func (s *state) apart() reading {
	r := s.atWorkTogether()
	r.value = max(0, float64(s.whole.want)-r.value)
	return r
}

// slowMembers are those that are slow if what a starved host took before the faults makes no member's time longer: a host that
// was busy then is no licence to be slow at the end.
func (s *state) slowMembers() reading { return s.slower(&s.host, nil) }

// calmSlowMembers are those that are slow though they are given what a starved host took at the end.
func (s *state) calmSlowMembers() reading { return s.slower(nil, &s.host) }

func (s *state) slower(before, end *host) reading {
	sides := &s.together.sides
	return count(s.together.slow(before, end), min(sides[0].sent, len(sides[1].waits)))
}

// answerTime is the longest of the quickest answers of each member, before the faults or at the end.
func (s *state) answerTime(at int) reading {
	quick := s.together.sides[at].quickest(nil)
	return reading{longest(quick).Seconds(), len(quick)}
}

// askedTogether tells whether the slots were asked at once, and can be expected to have answered.
func (s *state) askedTogether() bool {
	return s.together.sides[1].sent > 0 && s.silent().value == 0
}

// timedTogether tells whether the answers can be compared with those before the faults, too.
func (s *state) timedTogether() bool { return s.askedTogether() && s.slowMembers().samples > 0 }

// askedForLong tells whether the slots were asked for so long that a busy host cannot be why they were not at work at once.
func (s *state) askedForLong() bool {
	w := &s.together.sides[1]
	return w.last-w.first >= history.Patience(s.whole.want)
}

func (s *state) sayApart(n int) (string, int) {
	w := &s.together.sides[1]
	text := "only " + strconv.Itoa(s.whole.want-n) + " of " + strconv.Itoa(s.whole.want) + " slots were at work at the same time at the end, however long their tasks lasted"
	if w.failed > 0 {
		text += "; " + number(w.failed, "task", "tasks") + " of theirs failed: " + w.failure
	}
	return text, w.line
}

func (s *state) saySlow(n int) (string, int) {
	g := &s.together
	return number(n, "member", "members") + " took " + Seconds.Show(s.answerTime(1).value) + " longer than their tasks at the end, at best; before the faults " +
		Seconds.Show(s.answerTime(0).value), g.sides[1].line
}

package ledger

import (
	"math"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Queues follows the queues of tasks that were sent before the faults and at the end: how quickly each was done.
type Queues struct {
	sent  map[uint64]bool // tasks that have no answer yet, of the last queue
	Sides [2][]Queue      // before the faults, and at the end
	Line  int             // of the last answer
}

// Queue is tasks that were sent at once, several for each slot.
type Queue struct {
	hold     time.Duration
	from, to time.Duration // until the last answer, or failure
	sent     int
	answers  []time.Duration
}

func (q *Queues) init() { q.sent = map[uint64]bool{} }

// probe takes what a history tells of one of these tasks. A queue is sent when all of the one before it have ended.
func (q *Queues) probe(e *history.Probe, s *Ledger) {
	side := &q.Sides[0]
	if s.Stage >= Chaos {
		side = &q.Sides[1]
	}
	q.Line = s.Line
	if e.Op == history.Sent {
		if n := len(*side); n == 0 || len(q.sent) == 0 && (*side)[n-1].to > 0 {
			*side = append(*side, Queue{hold: e.Hold, from: s.Now})
		}
		(*side)[len(*side)-1].sent++
		q.sent[e.Task] = true
		return
	}
	if !q.sent[e.Task] || len(*side) == 0 {
		s.malformed("task %d ended though it was not sent in a queue", e.Task)
		return
	}
	delete(q.sent, e.Task)
	last := &(*side)[len(*side)-1]
	last.to = s.Now
	if e.Op == history.Answered {
		last.answers = append(last.answers, s.Now)
		s.Evidence.named = append(s.Evidence.named, named{e.Task, e.PID, s.Line})
	}
}

// pace is that of the best queue, without the time for which a host was starved meanwhile, if one is given.
func (q *Queues) pace(side int, calm *Host) (best float64) {
	for _, one := range q.Sides[side] {
		took := one.to - one.from
		if calm != nil {
			took = max(time.Nanosecond, took-calm.Within(one.from, one.to))
		}
		best = max(best, history.Pace(len(one.answers), one.hold, took))
	}
	return best
}

// paceBefore is that of the best of the first answers to a queue before the faults: a host that was busy for a while,
// or one task that came late, is no licence to be slow at the end. What a starved host took is left out, unless hardly
// any time is left then; if the best is of such a time, or none was answered by half, known is false.
func (q *Queues) paceBefore(calm *Host) (best float64, known bool) {
	for _, one := range q.Sides[0] {
		took, rest := make([]time.Duration, len(one.answers)), make([]time.Duration, len(one.answers))
		for i, at := range one.answers {
			took[i] = at - one.from
			if left := took[i] - calm.Within(one.from, at); left >= one.hold {
				rest[i] = left
			}
		}
		if sure := history.BestPace(one.sent, one.hold, rest); sure > 0 && sure >= best {
			best, known = sure, true
		}
		if raw := history.BestPace(one.sent, one.hold, took); raw > best {
			best, known = raw, false
		}
	}
	return best, known
}

// QueuePace is how many tasks of a queue were done at a time, before the faults or at the end.
func (s *Ledger) QueuePace(side int) Reading {
	return Reading{s.Queues.pace(side, nil), len(s.Queues.Sides[side])}
}

// Regained is the pace at the end as a share of that before the faults.
func (s *Ledger) Regained() Reading {
	was, is := s.atMost(s.Queues.pace(0, nil)), s.atMost(s.Queues.pace(1, nil))
	if was == 0 {
		return Reading{}
	}
	return Reading{is / was, min(len(s.Queues.Sides[0]), len(s.Queues.Sides[1]))}
}

// Throttled is how many slots' worth of its pace the target lacks at the end, none if it has half of it. Where nobody
// knows what it had before the faults, that is taken to be as much as slots have.
func (s *Ledger) Throttled() Reading {
	was, is, known := s.Paces()
	if !known {
		was = float64(s.Places())
	}
	return s.lacking(was, is)
}

// CalmThrottled is the same with what a starved host took at the end left out, and nothing supposed of before.
func (s *Ledger) CalmThrottled() Reading {
	was, _, _ := s.Paces()
	return s.lacking(was, s.atMost(s.Queues.pace(1, &s.Host)))
}

// Paces are those of the best queues, before the faults and at the end, by as many tasks as all members run now: a
// target that was told to be smaller is to be as quick as a smaller one. The one before is known unless the host was
// starved for nearly all of that time, or the target answered less than half of each queue.
func (s *Ledger) Paces() (was, is float64, known bool) {
	was, known = s.Queues.paceBefore(&s.Host)
	return s.atMost(was), s.atMost(s.Queues.pace(1, nil)), known
}

func (s *Ledger) lacking(was, is float64) Reading {
	lacks := 0
	if is < history.Regained*was {
		lacks = int(math.Ceil(was - is))
	}
	return Count(lacks, min(len(s.Queues.Sides[0]), len(s.Queues.Sides[1])))
}

// atMost is the pace, of as many slots as there are.
func (s *Ledger) atMost(pace float64) float64 { return min(pace, float64(s.Places())) }

// Paced tells whether the pace at the end can be compared with that before, of a target whose slots answer.
func (s *Ledger) Paced() bool {
	return len(s.Queues.Sides[0]) > 0 && len(s.Queues.Sides[1]) > 0 && s.AskedTogether()
}

// QueuedForLong tells whether queues were sent for so long that a busy host cannot be why none of them was done
// quickly.
func (s *Ledger) QueuedForLong() bool {
	last := s.Queues.Sides[1]
	return len(last) > 0 && last[len(last)-1].to-last[0].from >= history.Patience(s.Workers())
}

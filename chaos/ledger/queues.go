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
	answered int
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
		last.answered++
		s.Evidence.named = append(s.Evidence.named, named{e.Task, e.PID, s.Line})
	}
}

// pace is that of the best queue. It is taken without the time for which a host was starved meanwhile, if one is given;
// before the faults, where hardly any other is left, with it.
func (q *Queues) pace(side int, calm *Host) (best float64) {
	for _, one := range q.Sides[side] {
		took := one.to - one.from
		if calm != nil {
			if rest := took - calm.Within(one.from, one.to); side == 1 || rest >= one.hold {
				took = max(time.Nanosecond, rest)
			}
		}
		best = max(best, history.Pace(one.answered, one.hold, took))
	}
	return best
}

// QueuePace is how many tasks of a queue were done at a time, before the faults or at the end.
func (s *Ledger) QueuePace(side int) Reading {
	return Reading{s.Queues.pace(side, nil), len(s.Queues.Sides[side])}
}

// Regained is the pace at the end as a share of that before the faults.
func (s *Ledger) Regained() Reading {
	was, is := s.paces(nil, nil)
	if was == 0 {
		return Reading{}
	}
	return Reading{is / was, min(len(s.Queues.Sides[0]), len(s.Queues.Sides[1]))}
}

// Throttled is how many slots' worth of its pace the target lacks at the end, none if it has half of it. Of the pace
// before the faults what a starved host took is left out: a host that was busy then is no licence to be slow at the
// end.
func (s *Ledger) Throttled() Reading { return s.lacking(&s.Host, nil) }

// CalmThrottled is the same with what a starved host took at the end, and not before, left out.
func (s *Ledger) CalmThrottled() Reading { return s.lacking(nil, &s.Host) }

// Paces are those which Throttled compares.
func (s *Ledger) Paces() (was, is float64) { return s.paces(&s.Host, nil) }

func (s *Ledger) lacking(before, end *Host) Reading {
	was, is := s.paces(before, end)
	lacks := 0
	if is < history.Regained*was {
		lacks = int(math.Ceil(was - is))
	}
	return Count(lacks, min(len(s.Queues.Sides[0]), len(s.Queues.Sides[1])))
}

// paces are those of the best queues, before the faults and at the end, by as many tasks as all members run now: a
// target that was told to be smaller is to be as quick as a smaller one.
func (s *Ledger) paces(before, end *Host) (was, is float64) {
	want := float64(s.Places())
	return min(s.Queues.pace(0, before), want), min(s.Queues.pace(1, end), want)
}

// Paced tells whether the pace at the end can be compared with that before, of a target whose slots answer.
func (s *Ledger) Paced() bool {
	return s.Regained().Samples > 0 && s.AskedTogether()
}

// QueuedForLong tells whether queues were sent for so long that a busy host cannot be why none of them was done
// quickly.
func (s *Ledger) QueuedForLong() bool {
	last := s.Queues.Sides[1]
	return len(last) > 0 && last[len(last)-1].to-last[0].from >= history.Patience(s.Workers())
}

package pool

import (
	"errors"
	"maps"
)

// audit checks what the statistics promise to hold at any time.
func (s *simulation) audit() {
	st := s.pool.Stats()
	s.tell(nil, "the books: %+v", st)
	if st.Submitted != st.Settled+uint64(st.Queued)+uint64(st.InFlight) {
		s.violated("the books balance", "submitted %d, settled %d, queued %d, in flight %d", st.Submitted, st.Settled, st.Queued, st.InFlight)
	}
	if st.Settled != st.OK+st.Failed {
		s.violated("the books balance", "settled %d, ok %d, failed %d", st.Settled, st.OK, st.Failed)
	}
}

// checkBooks compares the statistics with the events and the outcomes.
func checkBooks(s *simulation, violated func(string, ...any)) {
	st := s.pool.Stats()
	same := func(what string, have uint64, want int) {
		if have != uint64(want) {
			violated("%s: the statistics say %d, it was %d", what, have, want)
		}
	}
	same("processes", st.Started, len(s.processes))
	same("exits", st.Exits, len(s.processes))
	same("settled", st.Settled, int(st.Submitted))
	same("ok and failed", st.OK+st.Failed, int(st.Settled))
	same("queued", uint64(st.Queued), 0)
	same("in flight", uint64(st.InFlight), 0)
	events := map[EventKind]int{}
	for _, e := range s.events {
		events[e.Kind]++
	}
	wrong := 0 // a dead one that nobody can reap owes its answers as a live one does
	for _, w := range s.processes {
		if w.lied || w.unreapable {
			wrong++
		}
	}
	if s.plan.early {
		return // what happened before the subscription is in no event
	}
	same("requeued", st.Requeued, events[TaskRequeued])
	same("late results", st.Late, events[LateResult])
	same("lost", st.Lost, events[TaskLost])
	same("rejected", st.Rejected, events[FrameRejected])
	same("exit events", st.Exits, events[WorkerExited])
	if int(st.Rejected) > wrong {
		violated("%d messages rejected from %d workers that lied or could not be reaped", st.Rejected, wrong)
	}
	ok, lost, loose := 0, 0, 0
	s.eachTask(func(t *simTask) {
		switch {
		case t.loose || !t.known:
			loose++
		case t.err == nil:
			ok++
		case errors.As(t.err, new(*WorkerLostError)):
			lost++
		}
	})
	if int(st.OK) < ok || int(st.OK) > ok+loose || int(st.Lost) < lost || int(st.Lost) > lost+loose {
		violated("ok %d and lost %d by the statistics, %d and %d by the outcomes", st.OK, st.Lost, ok, lost)
	}
}

// noteSlots remembers who is where before the events begin.
func (s *simulation) noteSlots() {
	s.firstSlots = map[int]int{}
	for _, w := range s.pool.Workers() {
		s.firstSlots[w.PID] = w.Slot
	}
}

// slotsOf is the slot that each worker filled, by pid.
func (s *simulation) slotsOf() map[int]int {
	slots := maps.Clone(s.firstSlots)
	for _, e := range s.events {
		if e.Kind == WorkerReady {
			slots[e.Worker.PID] = e.Worker.Slot
		}
	}
	return slots
}

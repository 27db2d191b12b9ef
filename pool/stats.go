package pool

// Stats counts what happened in a pool since New. Submitted = Settled + what is queued or in flight; Settled = OK + Failed.
type Stats struct {
	Submitted    uint64 // accepted
	Settled      uint64
	OK           uint64 // settled with a value
	Failed       uint64 // settled with an error of any kind
	Lost         uint64 // of these, with *WorkerLostError
	Requeued     uint64 // sent again because a worker died
	Revoked      uint64 // taken back before they started
	Late         uint64 // results of tasks that were settled already
	Rejected     uint64 // messages that no worker should send
	Started      uint64 // processes started
	BootFailures uint64 // what fed the breaker: see Backoff
	Exits        uint64
	Crashed      uint64 // exits by kind
	OOM          uint64
	Killed       uint64
	Queued       int // now
	InFlight     int // now
	Ready        int // workers that take tasks now
	Starting     int // workers that are booting now, spares included
	Spares       int // ready hot spares now
	BreakerOpen  bool
	Recycled     uint64 // exits by the pool's reason: see ReasonRecycle; of the others see Ended
	TimedOut     uint64 // ReasonTimeout
	Stalled      uint64 // ReasonStall

	// With Config.Measure: how long tasks took, in all and by name. Empty without.
	Total TaskStats
	Tasks map[string]TaskStats

	ended [ReasonBoot + 1]uint64
}

// Ended is how many workers ended for that reason; ReasonNone is those that the pool did not end.
func (s Stats) Ended(r Reason) uint64 { return s.ended[min(r, ReasonBoot)] }

// ExitsByReason is how many workers ended by each reason of the pool's, and of the others by what they came to: crashed, oom, killed, or
// unasked, which is none of these. Every name is there, with 0 too.
func (s Stats) ExitsByReason() map[string]uint64 {
	known := s.Crashed + s.OOM + s.Killed
	all := map[string]uint64{
		"crashed": s.Crashed, "oom": s.OOM, "killed": s.Killed, "unasked": s.Ended(ReasonNone) - min(s.Ended(ReasonNone), known),
	}
	for r := ReasonStop; r <= ReasonBoot; r++ {
		all[r.String()] = s.Ended(r)
	}
	return all
}

func (s *Stats) countExit(x Exit) {
	s.Exits++
	s.ended[min(x.Reason, ReasonBoot)]++
	switch x.Kind {
	case KindCrashed:
		s.Crashed++
	case KindOOM:
		s.OOM++
	case KindKilled:
		s.Killed++
	}
}

// Stats counts what happened so far.
func (p *Pool) Stats() Stats {
	st := p.lock()
	defer st.unlock()
	s := st.stats
	s.Recycled, s.TimedOut, s.Stalled = s.ended[ReasonRecycle], s.ended[ReasonTimeout], s.ended[ReasonStall]
	if st.measures != nil {
		s.Total, s.Tasks = st.measures.snapshot()
	}
	s.Queued, s.Ready, s.Spares, s.BreakerOpen = st.queue.live, st.ready, len(st.bench), st.breaker.isOpen()
	for _, slot := range st.slots {
		s.Queued += slot.pinned.live
	}
	s.InFlight = st.live - s.Queued // not what workers still run though its caller has given it up
	for w := range st.workers {
		if w.state == Starting {
			s.Starting++
		}
	}
	return s
}

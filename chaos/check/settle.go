package check

import (
	"slices"
	"time"
)

// settling follows whether the target recovers in the time that it is given once the faults are over, and stays so.
type settling struct {
	struck time.Duration // when the last injection was over
	looked time.Duration // the last look since then
	first  time.Duration // the look at which the target was steady again
	late   bool          // that was too late
	lapses []lapse       // looks after it at which it was not steady
}

// lapse is a look at which the target was not steady any more.
type lapse struct {
	since time.Duration // the look before
	at    time.Duration
	line  int
	then  []Threshold
}

// mostLapses bounds what is kept of a target that is hardly ever steady.
const mostLapses = 1 << 10

// inTime tells whether a look at this moment is within the time to settle. One that was begun within it is, and where nobody
// says how long it is every one.
func (s *state) inTime() bool {
	end := s.began[settle] + s.h.Settle
	return s.h.Settle == 0 || s.now <= end || s.settling.looked <= end
}

// settledAgain takes whether the target is steady at a look after the faults. Rates are of a load that goes on: in the stage
// verify there is none, and before that noise would be taken for a lapse.
func (s *state) settledAgain(all bool, shown []Threshold) {
	l := &s.settling
	if !s.watch.reached[1] {
		if all {
			l.first, l.late = s.now, !s.inTime()
		}
		return
	}
	fails := func(t Threshold) bool {
		m, _ := Lookup(t.Metric)
		return !t.OK && m.now == nil
	}
	if slices.ContainsFunc(shown, fails) && len(l.lapses) < mostLapses {
		l.lapses = append(l.lapses, lapse{l.looked, s.now, s.line, shown})
	}
}

// lapsed is the first look at which a target that was steady again was not any more, though every member that was missing since the
// look before is accounted for. At the last look nothing is.
func (s *state) lapsed() *lapse {
	for i := range s.settling.lapses {
		if l := &s.settling.lapses[i]; l.at == s.settling.looked || !s.accounted(l.since, l.at) {
			return l
		}
	}
	return nil
}

// accounted tells whether a slot was empty in that time because its member had ended of a fault, or is replaced for a reason of
// the target's own.
func (s *state) accounted(from, to time.Duration) bool {
	empty := func(slot, pid int, since time.Duration) bool {
		back := s.until()
		for _, r := range s.slots.rises[slot] {
			if r.pid != pid && r.at >= since {
				back = min(back, r.at)
			}
		}
		return since <= to && back >= from
	}
	for k := range slices.Backward(s.crew.exits) {
		if x := &s.crew.exits[k]; empty(x.Slot, x.PID, x.since) && (x.Reason != "" || s.cause(x) != nil) {
			return true
		}
	}
	for pid, since := range s.crew.retiring { // and has not ended yet
		if slot, ok := s.slots.homes[pid]; ok && empty(slot, pid, since) {
			return true
		}
	}
	return false
}

// settleTime is how long after the faults the last of the deaths that receipts prove was recovered from: the pool was whole
// again, counted from the end of the last injection; its slot was of use, counted from the stage settle, since the answer may
// have to wait for a load of a given number of tasks. What never comes is slots.lost and pool.missing.
func (s *state) settleTime() reading {
	return s.settleTimeBy(func(from, to time.Duration) time.Duration { return to - from })
}

// calmSettleTime is the same without the time for which the host was starved.
func (s *state) calmSettleTime() reading {
	return s.settleTimeBy(func(from, to time.Duration) time.Duration { return to - from - s.host.within(from, to) })
}

func (s *state) settleTimeBy(took func(from, to time.Duration) time.Duration) reading {
	began, struck, pool := s.began[settle], s.settling.struck, s.pool()
	if !s.entered[settle] {
		return reading{}
	}
	slots, whole := s.slots.last, pool.back
	if len(s.slots.pending) > 0 {
		slots = s.until()
	}
	if len(pool.waiting) > 0 && !s.whole.over {
		whole = s.until()
	}
	longest := max(0, took(began, max(began, slots)), took(struck, max(struck, whole)))
	return reading{longest.Seconds(), max(1, s.recovering().n())}
}

// saySettleTime says which of the two came so late.
func (s *state) saySettleTime(int) (string, int) {
	what := "the last slot was of use again only "
	if pool := s.pool(); pool.back-s.settling.struck > s.slots.last-s.began[settle] {
		what = "the pool was whole again only "
	}
	return what + Seconds.Show(s.settleTime().value) + " after the faults, and settle is " + Seconds.Show(s.h.Settle.Seconds()), s.looks.lastLine
}

package ledger

import (
	"slices"
	"time"
)

// Settling follows whether the target recovers in the time that it is given once the faults are over, and stays so.
type Settling struct {
	Struck time.Duration // when the last injection was over
	Looked time.Duration // the last look since then
	InTime bool          // the last look was within the time to settle
	Before time.Duration // the look before the last one
}

// Accounted tells whether a slot was empty in that time because its member had ended of a fault, or is replaced for a
// reason of the target's own.
func (s *Ledger) Accounted(from, to time.Duration) bool {
	empty := func(slot, pid int, since time.Duration) bool {
		back := s.Until()
		for _, r := range s.Slots.rises[slot] {
			if r.PID != pid && r.At >= since {
				back = min(back, r.At)
			}
		}
		return since <= to && back >= from
	}
	for k := range slices.Backward(s.Members.Exits) {
		if x := &s.Members.Exits[k]; empty(x.Slot, x.PID, x.Since) && (x.Reason != "" || s.Cause(x) != nil) {
			return true
		}
	}
	for pid, since := range s.Members.retiring { // and has not ended yet
		if slot, ok := s.Slots.homes[pid]; ok && empty(slot, pid, since) {
			return true
		}
	}
	return false
}

// SettleTime is how long after the faults the last of the deaths that receipts prove was recovered from: the pool was
// whole again, counted from the end of the last injection; its slot was of use, counted from the stage settle, since
// the answer may have to wait for a load of a given number of tasks. What never comes is slots.lost and pool.missing.
func (s *Ledger) SettleTime() Reading {
	return s.settleTimeBy(func(from, to time.Duration) time.Duration { return to - from })
}

// CalmSettleTime is the same without the time for which the host was starved.
func (s *Ledger) CalmSettleTime() Reading {
	return s.settleTimeBy(func(from, to time.Duration) time.Duration { return to - from - s.Host.Within(from, to) })
}

func (s *Ledger) settleTimeBy(took func(from, to time.Duration) time.Duration) Reading {
	began, struck, pool := s.Began[Settle], s.Settling.Struck, s.Pool()
	if !s.Entered[Settle] {
		return Reading{}
	}
	slots, whole := s.Slots.Last, pool.Back
	if len(s.Slots.Pending) > 0 {
		slots = s.Until()
	}
	if len(pool.waiting) > 0 && !s.Whole.over {
		whole = s.Until()
	}
	longest := max(0, took(began, max(began, slots)), took(struck, max(struck, whole)))
	return Reading{longest.Seconds(), max(1, s.Recovering().N())}
}

// inTime tells whether a look at this moment is within the time to settle. One that was begun within it is, and where
// nobody says how long it is every one.
func (s *Ledger) inTime() bool {
	end := s.Began[Settle] + s.Header.Settle
	return s.Header.Settle == 0 || s.Now <= end || s.Settling.Looked <= end
}

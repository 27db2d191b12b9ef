package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Slots follows each confirmed death until its slot is of use again: the replacement is ready and has answered a probe.
type Slots struct {
	Deaths  []*Death              // of victims in slots, as they were confirmed
	Pending map[int][]*Death      // of these, by slot, those that are not recovered from
	Lost    int                   // deaths that were never recovered from
	answers map[int][]Answer      // by slot
	since   map[int]time.Duration // by pid, when it became ready
	rises   map[int][]Answer      // by slot, the same
	homes   map[int]int           // by pid, the slot that it was started for
	Recover Dist
	Last    time.Duration // when the last of them was recovered from
}

// Answer is that of a probe, or that somebody is ready.
type Answer struct {
	PID int
	At  time.Duration
}

func (l *Slots) init() {
	l.Pending, l.answers = map[int][]*Death{}, map[int][]Answer{}
	l.since, l.rises, l.homes = map[int]time.Duration{}, map[int][]Answer{}, map[int]int{}
}

// started takes a new member of the slot, -1 for one that waits to take any.
func (l *Slots) started(slot, pid int) { l.homes[pid] = slot }

func (l *Slots) ready(slot, pid int, at time.Duration) {
	l.since[pid] = at
	l.rises[slot] = append(l.rises[slot], Answer{pid, at})
	l.takeRecovered(slot, true)
}

func (l *Slots) answered(slot, pid int, at time.Duration, events bool) {
	l.answers[slot] = append(l.answers[slot], Answer{pid, at})
	l.takeRecovered(slot, events)
}

func (l *Slots) died(d *Death, events bool) {
	l.Deaths = append(l.Deaths, d)
	l.Pending[d.Slot] = append(l.Pending[d.Slot], d)
	l.takeRecovered(d.Slot, events)
}

// takeRecovered takes the deaths of the slot that are recovered from. The answer, and the next ones, may come before
// the death is confirmed. A target that tells its events must have said that the process that answered is ready.
func (l *Slots) takeRecovered(slot int, events bool) {
	left := l.Pending[slot][:0]
	for _, d := range l.Pending[slot] {
		if pid, back, ok := l.back(d, events); ok {
			d.Fate, d.Back, d.Successor = Recovered, back, pid
			l.Recover.add(d.At, back, d.Line)
			l.Last = max(l.Last, back)
		} else {
			left = append(left, d)
		}
	}
	if l.Pending[slot] = left; len(left) == 0 {
		delete(l.Pending, slot)
	}
}

// back is when the slot was of use again after the death: a member of that slot has answered that came after the
// victim. Where the target tells no events, any other process counts.
func (l *Slots) back(d *Death, events bool) (pid int, at time.Duration, ok bool) {
	for _, a := range from(l.answers[d.Slot], d.At) {
		if !events {
			if a.PID != d.PID {
				return a.PID, a.At, true
			}
		} else if ready, ok := l.follows(a.PID, d); ok {
			return a.PID, max(a.At, ready), true
		}
	}
	return 0, 0, false
}

// follows tells since when the process has been ready as the victim's successor in its slot: since the death, or before
// it if it took over from a victim that was about to be replaced. A member of another slot is none.
func (l *Slots) follows(pid int, d *Death) (ready time.Duration, ok bool) {
	if home, told := l.homes[pid]; told && home >= 0 && home != d.Slot {
		return 0, false
	}
	for _, r := range slices.Backward(l.rises[d.Slot]) {
		if r.PID == d.PID && r.At < d.At {
			return 0, false // what was ready earlier is a predecessor
		}
		if r.PID == pid {
			return r.At, true
		}
	}
	return 0, false
}

// from is the answers since then.
func from(list []Answer, at time.Duration) []Answer {
	i, _ := slices.BinarySearchFunc(list, at, func(a Answer, at time.Duration) int { return cmp.Compare(a.At, at) })
	return list[i:]
}

// giveUp forgets the deaths of slots that are not wanted any more.
func (l *Slots) giveUp(want int) {
	for slot := range l.Pending {
		if slot >= want {
			for _, d := range l.Pending[slot] {
				d.Fate = GivenUp
			}
			delete(l.Pending, slot)
		}
	}
}

func (l *Slots) close() {
	for _, slot := range SortedKeys(l.Pending) {
		for _, d := range l.Pending[slot] {
			d.Fate = Never
			l.Recover.never(d.Line)
			l.Lost++
		}
	}
	clear(l.Pending)
}

// Probes counts them, and keeps who answered at the end.
type Probes struct {
	Answered, Failed int
	Final            map[int]Answer // by slot, of the stage verify
	asked            int            // records of the stage verify
	FailedLine       int
	failedErr        string
}

func (p *Probes) init() { p.Final = map[int]Answer{} }

func (s *Ledger) probe(e *history.Probe) {
	switch e.Slot {
	case history.AnySlot:
		s.Together.probe(e, s)
		return
	case history.InQueue:
		s.Queues.probe(e, s)
		return
	}
	p := &s.Probes
	last := s.Stage == Verify && e.For == 0
	if last {
		p.asked++
	}
	switch e.Op {
	case history.Answered:
		p.Answered++
		s.Slots.answered(e.Slot, e.PID, s.Now, s.Can("events"))
		if last {
			p.Final[e.Slot] = Answer{e.PID, s.Now}
		}
	case history.NoAnswer:
		p.Failed++
		if last || p.FailedLine == 0 {
			p.FailedLine, p.failedErr = s.Line, e.Err
		}
	}
}

// Answering counts the slots that answered the probe at the end, each by a living member of its own.
func (s *Ledger) Answering() Reading {
	pids := map[int]bool{}
	for slot, a := range s.Probes.Final {
		if slot >= 0 && slot < s.Whole.Want && a.PID > 0 && !s.Killed(a) && !s.Stranger(slot, a) {
			pids[a.PID] = true
		}
	}
	asked := s.Probes.asked
	if asked == 0 && s.Whole.Want == 0 && s.Whole.looked {
		asked = 1 // nobody is there to be asked, as it should be
	}
	return Count(len(pids), asked)
}

// Stranger tells whether the process that answered for the slot was never ready in it, where the target tells who was.
func (s *Ledger) Stranger(slot int, a Answer) bool {
	return s.Can("events") && !slices.ContainsFunc(s.Slots.rises[slot], func(r Answer) bool { return r.PID == a.PID })
}

// Killed tells whether a receipt shows that the process had ended before it is said to have answered, and nobody with
// its number is told to have become ready since.
func (s *Ledger) Killed(a Answer) bool {
	return slices.ContainsFunc(s.Injections.ByPID[a.PID], func(i *Injection) bool {
		ready, told := s.Slots.since[a.PID]
		return i.Fatal && i.Died < a.At && (!told || ready <= i.Died)
	})
}

// Silent counts the slots that did not answer at the end, each by a living member of its own.
func (s *Ledger) Silent() Reading {
	r := s.Answering()
	r.Value = max(0, float64(s.Whole.Want)-r.Value)
	return r
}

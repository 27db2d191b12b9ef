package check

import (
	"cmp"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// slots follows each confirmed death until its slot is of use again: the replacement is ready and has answered a probe.
type slots struct {
	pending map[int][]death       // by slot
	lost    int                   // deaths that were never recovered from
	answers map[int][]answer      // by slot
	since   map[int]time.Duration // by pid, when it became ready
	rises   map[int][]answer      // by slot, the same
	homes   map[int]int           // by pid, the slot that it was started for
	recover dist
	last    time.Duration // when the last of them was recovered from
}

// answer is that of a probe, or that somebody is ready.
type answer struct {
	pid int
	at  time.Duration
}

func (l *slots) init() {
	l.pending, l.answers = map[int][]death{}, map[int][]answer{}
	l.since, l.rises, l.homes = map[int]time.Duration{}, map[int][]answer{}, map[int]int{}
}

// started takes a new member of the slot, -1 for one that waits to take any.
func (l *slots) started(slot, pid int) { l.homes[pid] = slot }

func (l *slots) ready(slot, pid int, at time.Duration) {
	l.since[pid] = at
	l.rises[slot] = append(l.rises[slot], answer{pid, at})
	l.settle(slot, true)
}

func (l *slots) answered(slot, pid int, at time.Duration, events bool) {
	l.answers[slot] = append(l.answers[slot], answer{pid, at})
	l.settle(slot, events)
}

func (l *slots) died(d death, events bool) {
	l.pending[d.slot] = append(l.pending[d.slot], d)
	l.settle(d.slot, events)
}

// settle takes the deaths of the slot that are recovered from. The answer, and the next ones, may come before the death
// is confirmed. A target that tells its events must have said that the process that answered is ready.
func (l *slots) settle(slot int, events bool) {
	left := l.pending[slot][:0]
	for _, d := range l.pending[slot] {
		if back, ok := l.back(d, events); ok {
			l.recover.add(d.at, back, d.line)
			l.last = max(l.last, back)
		} else {
			left = append(left, d)
		}
	}
	if l.pending[slot] = left; len(left) == 0 {
		delete(l.pending, slot)
	}
}

// back is when the slot was of use again after the death: a member of that slot has answered that came after the victim.
// Where the target tells no events, any other process counts.
func (l *slots) back(d death, events bool) (time.Duration, bool) {
	for _, a := range from(l.answers[d.slot], d.at) {
		if !events {
			if a.pid != d.pid {
				return a.at, true
			}
		} else if ready, ok := l.follows(a.pid, d); ok {
			return max(a.at, ready), true
		}
	}
	return 0, false
}

// follows tells since when the process has been ready as the victim's successor in its slot: since the death, or before it if
// it took over from a victim that was about to be replaced. A member of another slot is none.
func (l *slots) follows(pid int, d death) (ready time.Duration, ok bool) {
	if home, told := l.homes[pid]; told && home >= 0 && home != d.slot {
		return 0, false
	}
	for _, r := range slices.Backward(l.rises[d.slot]) {
		if r.pid == d.pid && r.at < d.at {
			return 0, false // what was ready earlier is a predecessor
		}
		if r.pid == pid {
			return r.at, true
		}
	}
	return 0, false
}

// from is the answers since then.
func from(list []answer, at time.Duration) []answer {
	i, _ := slices.BinarySearchFunc(list, at, func(a answer, at time.Duration) int { return cmp.Compare(a.at, at) })
	return list[i:]
}

// look forgets the deaths of slots that are not wanted any more.
func (l *slots) look(want int) {
	for slot := range l.pending {
		if slot >= want {
			delete(l.pending, slot)
		}
	}
}

func (l *slots) close() {
	for _, slot := range sortedKeys(l.pending) {
		for _, d := range l.pending[slot] {
			l.recover.never(d.line)
			l.lost++
		}
	}
	clear(l.pending)
}

// probes counts them, and keeps who answered at the end.
type probes struct {
	answered, failed int
	final            map[int]answer // by slot, of the stage verify
	asked            int            // records of the stage verify
	failedLine       int
	failedErr        string
}

func (p *probes) init() { p.final = map[int]answer{} }

func (s *state) probe(e *history.Probe) {
	if e.Slot == history.AnySlot {
		s.together.probe(e, s)
		return
	}
	p := &s.probes
	last := s.stage == verify && e.For == 0
	if last {
		p.asked++
	}
	switch e.Op {
	case history.Answered:
		p.answered++
		s.slots.answered(e.Slot, e.PID, s.now, s.can("events"))
		if last {
			p.final[e.Slot] = answer{e.PID, s.now}
		}
	case history.NoAnswer:
		p.failed++
		if last || p.failedLine == 0 {
			p.failedLine, p.failedErr = s.line, e.Err
		}
	}
}

// answering counts the slots that answered the probe at the end, each by a living member of its own.
func (s *state) answering() reading {
	pids := map[int]bool{}
	for slot, a := range s.probes.final {
		if slot >= 0 && slot < s.whole.want && a.pid > 0 && !s.killed(a) && !s.stranger(slot, a) {
			pids[a.pid] = true
		}
	}
	asked := s.probes.asked
	if asked == 0 && s.whole.want == 0 && s.whole.looked {
		asked = 1 // nobody is there to be asked, as it should be
	}
	return count(len(pids), asked)
}

// stranger tells whether the process that answered for the slot was never ready in it, where the target tells who was.
func (s *state) stranger(slot int, a answer) bool {
	return s.can("events") && !slices.ContainsFunc(s.slots.rises[slot], func(r answer) bool { return r.pid == a.pid })
}

// killed tells whether a receipt shows that the process had ended before it is said to have answered, and nobody with its
// number is told to have become ready since.
func (s *state) killed(a answer) bool {
	return slices.ContainsFunc(s.faults.byPID[a.pid], func(i *injection) bool {
		ready, told := s.slots.since[a.pid]
		return i.fatal && i.died < a.at && (!told || ready <= i.died)
	})
}

func (s *state) silent() reading {
	r := s.answering()
	r.value = max(0, float64(s.whole.want)-r.value)
	return r
}

package check

import (
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// slots follows each confirmed death until its slot is of use again: the replacement is ready and has answered a probe.
type slots struct {
	pending map[int][]death   // by slot
	answers map[int]answer    // the last of each slot
	since   map[int]readiness // the last of each slot
	recover dist
	never   []death // did not come back
}

// answer is that of a probe.
type answer struct {
	pid int
	at  time.Duration
}

// readiness is when which pid became ready.
type readiness answer

func (l *slots) init() {
	l.pending, l.answers, l.since = map[int][]death{}, map[int]answer{}, map[int]readiness{}
}

func (l *slots) ready(slot, pid int, at time.Duration) {
	l.since[slot] = readiness{pid, at}
	l.settle(slot, true)
}

func (l *slots) answered(slot, pid int, at time.Duration, events bool) {
	l.answers[slot] = answer{pid, at}
	l.settle(slot, events)
}

func (l *slots) died(d death, events bool) {
	l.pending[d.slot] = append(l.pending[d.slot], d)
	l.settle(d.slot, events)
}

// settle takes the deaths of the slot that are recovered from. A target that tells its events must have said that the
// process that answered is ready.
func (l *slots) settle(slot int, events bool) {
	a, ok := l.answers[slot]
	r := l.since[slot]
	if !ok || events && r.pid != a.pid {
		return
	}
	left := l.pending[slot][:0]
	for _, d := range l.pending[slot] {
		if a.pid == d.pid || a.at < d.at {
			left = append(left, d)
			continue
		}
		back := a.at
		if events {
			back = max(back, r.at)
		}
		l.recover.add(back-d.at, d.line)
	}
	if l.pending[slot] = left; len(left) == 0 {
		delete(l.pending, slot)
	}
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
			l.never = append(l.never, d)
		}
	}
	clear(l.pending)
}

// probes counts them, and keeps who answered at the end.
type probes struct {
	answered, failed int
	final            map[int]int // slot to pid, of the stage verify
	asked            int         // records of the stage verify
	failedLine       int
	failedErr        string
}

func (p *probes) init() { p.final = map[int]int{} }

func (s *state) probe(e *history.Probe) {
	p := &s.probes
	last := s.stage == verify && e.For == 0
	if last {
		p.asked++
	}
	switch e.Op {
	case "answered":
		p.answered++
		s.slots.answered(e.Slot, e.PID, s.now, s.can("events"))
		if last {
			p.final[e.Slot] = e.PID
		}
	case "failed":
		p.failed++
		if last || p.failedLine == 0 {
			p.failedLine, p.failedErr = s.line, e.Err
		}
	}
}

// answering counts the slots that answered the probe at the end, each by a process of its own.
func (s *state) answering() reading {
	pids := map[int]bool{}
	for slot, pid := range s.probes.final {
		if slot < s.whole.want {
			pids[pid] = true
		}
	}
	asked := s.probes.asked
	if asked == 0 && s.whole.want == 0 && s.whole.looked {
		asked = 1 // nobody is there to be asked, as it should be
	}
	return count(len(pids), asked)
}

func (s *state) silent() reading {
	r := s.answering()
	r.value = max(0, float64(s.whole.want)-r.value)
	return r
}

package check

import (
	"slices"
	"time"
)

// whole follows whether the pool has all the members that it should have, from the events of members where the target
// tells them, else from the samples.
type whole struct {
	want    int
	looked  bool // want is from a sample
	down    map[int]bool
	since   time.Duration   // down is not empty since then
	lowest  int             // of the slots that were down since then
	line    int             // what began it
	whole   []time.Duration // when the pool became whole
	begun   bool
	over    bool
	below   dist
	total   float64
	deaths  []death // not recovered from
	recover dist
}

// unseen stands in down for whatever a sample misses, where the target does not tell events.
const unseen = -1

// maxSlots bounds what a sample can make the checker do.
const maxSlots = 1 << 16

// death is the end of a victim that a receipt proves.
type death struct {
	n, slot, pid int
	at           time.Duration
	line         int
}

func (w *whole) init(size int) { w.want, w.down = size, map[int]bool{} }

func (w *whole) begin(now time.Duration) {
	w.begun = true
	w.since = max(w.since, now)
}

// fall says that nobody is ready in the slot since then.
func (w *whole) fall(slot int, at time.Duration, s *state) {
	if slot >= w.want || w.down[slot] {
		return
	}
	if len(w.down) == 0 {
		w.since, w.line, w.lowest = at, s.line, slot
	}
	w.down[slot], w.lowest = true, min(w.lowest, slot)
	if w.begun && !w.over {
		s.looks.fewest(w.want-len(w.down), s.line)
	}
}

// rise says that somebody is ready in the slot since then, or that it is not wanted any more.
func (w *whole) rise(slot int, at time.Duration, s *state) {
	if !w.down[slot] {
		return
	}
	delete(w.down, slot)
	if len(w.down) > 0 {
		return
	}
	w.whole = append(w.whole, at)
	if !w.begun || w.over {
		return
	}
	for _, d := range w.deaths {
		w.recover.add(max(0, at-d.at), d.line)
	}
	w.deaths = w.deaths[:0]
	unwanted := w.lowest >= w.want && w.since >= s.faults.shrunk() // that they are is told by the next sample
	if at > w.since && !unwanted {
		w.below.add(at-w.since, w.line)
		w.total += (at - w.since).Seconds()
	}
}

// died takes a confirmed death. The pool may have told of the exit, and even of the replacement, before.
func (w *whole) died(d death, s *state) {
	slot := d.slot
	if !s.can("events") {
		slot = unseen
		w.fall(slot, d.at, s)
	} else if up, ok := s.crew.up[slot]; !ok || up == d.pid {
		delete(s.crew.up, slot)
		w.fall(slot, d.at, s)
	}
	rose := max(d.at, s.slots.rose(d))
	back := slices.IndexFunc(w.whole, func(at time.Duration) bool { return at >= rose })
	switch {
	case w.over || d.slot >= w.want:
	case back >= 0:
		w.recover.add(w.whole[back]-d.at, d.line)
	case len(w.down) > 0:
		w.deaths = append(w.deaths, d)
	}
}

// look takes what a sample says.
func (w *whole) look(want, have int, s *state) {
	if want != w.want && (w.looked || w.want > 0) && len(s.faults.broad) == 0 {
		s.odd("the target was to have %d members and then %d, though no fault was aimed at it as a whole", w.want, want)
	}
	old := w.want
	if w.want = want; !w.looked {
		w.looked, old = true, want
	}
	if !s.can("events") {
		if have < want {
			w.fall(unseen, s.now, s)
		} else {
			w.rise(unseen, s.now, s)
		}
		return
	}
	for slot := old; slot < min(want, maxSlots); slot++ {
		if _, up := s.crew.up[slot]; !up {
			w.fall(slot, s.now, s)
		}
	}
	if want < old {
		for slot := range w.down {
			if slot >= want {
				w.rise(slot, s.now, s)
			}
		}
	}
}

// close ends the last interval as one that has no end.
func (w *whole) close() {
	if w.over = true; !w.begun || len(w.down) == 0 {
		return
	}
	w.below.never(w.line)
	w.total = w.below.worst
	for _, d := range w.deaths {
		w.recover.never(d.line)
	}
	w.deaths = nil
}

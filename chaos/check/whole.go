package check

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// whole follows whether the pool has all the members that it should have, from the events of members where the target
// tells them, else from the samples. Things are recorded after they happened, some later than others, so that the changes
// are kept in the order of when they happened, and the intervals are told from that.
type whole struct {
	size    int  // of the header
	events  bool // the target tells the events of its members
	want    int  // by the last sample; before the first, the size
	looked  bool // want is from a sample
	changes []change
	over    bool
	overAt  time.Duration

	early tally  // of the changes that nothing comes before any more, as a rule
	all   *tally // of all of them, as it was at that time; nil: to be made
	at    time.Duration
}

// change is what happened to the pool at one time. Those of one moment count in the order of their kinds.
type change struct {
	at   time.Duration
	kind changeKind
	line int // of the history
	slot int
	n    int // the member's pid; wanted: how many
	// asked is when the target was told to be smaller, if it was: the samples tell later that it is.
	asked time.Duration
}

type changeKind uint8

const (
	struck changeKind = iota // the stage chaos begins
	wanted                   // another number of members is
	risen                    // a member is ready in the slot
	fallen                   // it is not any more
	died                     // nor is this one, as a receipt proves
)

// unseen stands for the slot and the member of whatever a sample misses, where the target does not tell events.
const unseen = -1

// maxSlots bounds what a sample can make the checker do.
const maxSlots = 1 << 16

// settledAfter is how long after it happened a thing is recorded at most, as a rule. One that is recorded later still counts as
// well, but everything has to be counted again.
const settledAfter = 10 * time.Second

// death is the end of a victim that a receipt proves.
type death struct {
	n, slot, pid int
	at           time.Duration
	line         int
}

func (w *whole) init(size int, events bool) {
	w.size, w.want, w.events, w.early = size, size, events, newTally(size)
}

// add puts a change in its place. What happened after the end does not count.
func (w *whole) add(c change) {
	if w.over && c.at >= w.overAt {
		return
	}
	i, _ := slices.BinarySearchFunc(w.changes, c, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.kind, b.kind), -1) // behind its equals
	})
	w.changes = slices.Insert(w.changes, i, c)
	w.all = nil
	if i < w.early.n {
		w.early = newTally(w.size)
	}
}

// risen says that the member is ready in the slot since then.
func (w *whole) risen(slot, pid int, at time.Duration, line int) {
	if w.events {
		w.add(change{at: at, kind: risen, line: line, slot: slot, n: pid})
	}
}

// fallen says that it is not any more.
func (w *whole) fallen(slot, pid int, at time.Duration, line int) {
	if w.events && slot >= 0 {
		w.add(change{at: at, kind: fallen, line: line, slot: slot, n: pid})
	}
}

// look takes what a sample says: how many members there should be, and, of a target that does not tell events, whether they are.
func (w *whole) look(want, have int, s *state) {
	if want != w.want && (w.looked || w.want > 0) && len(s.faults.broad) == 0 {
		s.odd("the target was to have %d members and then %d, though no fault was aimed at it as a whole", w.want, want)
	}
	if want != w.want || !w.looked {
		w.add(change{at: s.now, kind: wanted, line: s.line, n: want, asked: s.faults.shrunk()})
	}
	w.want, w.looked = want, true
	if w.events {
		return
	}
	kind := risen
	if have < want {
		kind = fallen
	}
	w.add(change{at: s.now, kind: kind, line: s.line, slot: unseen, n: unseen})
}

func (w *whole) close(now time.Duration) {
	w.over, w.overAt, w.all = true, now, nil
}

// tally is the figures as of that time, what is still going on included: as one that never ends if the end is over.
func (w *whole) tally(now time.Duration) *tally {
	if w.all != nil && w.at == now {
		return w.all
	}
	for w.early.n < len(w.changes) && w.changes[w.early.n].at < now-settledAfter {
		w.early.add(w.changes[w.early.n], w.events)
	}
	t := w.early.clone()
	for _, c := range w.changes[t.n:] {
		t.add(c, w.events)
	}
	t.end(now, w.over)
	w.all, w.at = t, now
	return t
}

// pool is the figures of the pool as a whole, by now.
func (s *state) pool() *tally { return s.whole.tally(s.until()) }

// readyMin is the smaller of what the samples show and what the events tell.
func (s *state) readyMin() reading {
	r, t := count(s.looks.readyMin, s.looks.struck), s.pool()
	if t.lowLine > 0 && (r.samples == 0 || float64(t.lowest) < r.value) {
		r.value = float64(t.lowest)
	}
	if t.lowLine > 0 {
		r.samples++
	}
	return r
}

// tally is what the changes come to.
type tally struct {
	n       int // so many of them
	want    int
	begun   bool
	members map[int]int   // by pid, the slot in which it is ready
	ready   map[int]int   // by slot of which something was told, how many members are ready in it
	short   map[int]bool  // the slots in which none is
	missing int           // how many of them are wanted
	since   time.Duration // some are missing
	line    int           // what began that
	low     int           // the lowest of them since then
	asked   time.Duration // the target was told to be smaller
	waiting []death       // for the pool to be whole again
	back    time.Duration // the last time that it was

	below   dist
	recover dist
	total   float64
	lowest  int // the fewest that were ready since the faults began
	lowLine int
	dips    []dip
}

func newTally(size int) tally {
	return tally{want: size, asked: math.MaxInt64, members: map[int]int{}, ready: map[int]int{}, short: map[int]bool{}}
}

func (t *tally) clone() *tally {
	c := *t
	c.members, c.ready, c.short = maps.Clone(t.members), maps.Clone(t.ready), maps.Clone(t.short)
	c.waiting = slices.Clone(t.waiting)
	c.below, c.recover, c.dips = t.below.clone(), t.recover.clone(), slices.Clone(t.dips)
	return &c
}

// add takes the next change.
func (t *tally) add(c change, events bool) {
	t.n++
	switch c.kind {
	case struck:
		t.begun = true
		t.since = c.at // what was missing before counts from here
	case wanted:
		t.wants(c.n)
		t.asked = c.asked
	case risen:
		if _, there := t.members[c.n]; !there {
			t.members[c.n] = c.slot
			t.ready[c.slot]++
			delete(t.short, c.slot)
		}
	case fallen:
		t.takes(c.slot, c.n)
	case died:
		slot, pid := c.slot, c.n
		if !events {
			slot, pid = unseen, unseen
		}
		t.takes(slot, pid)
		if _, told := t.ready[slot]; !told {
			t.ready[slot], t.short[slot] = 0, true
		}
		if c.slot < t.want {
			t.waiting = append(t.waiting, death{slot: c.slot, pid: c.n, at: c.at, line: c.line})
		}
	}
	t.count(c)
}

// wants takes a new number of members. Slots that are new have nobody yet, unless it was told.
func (t *tally) wants(n int) {
	for slot := t.want; slot < min(n, maxSlots); slot++ {
		if t.ready[slot] == 0 {
			t.ready[slot], t.short[slot] = 0, true
		}
	}
	t.want = n
}

// takes the member from its slot, if it is there. A slot of which nothing was told has somebody.
func (t *tally) takes(slot, pid int) {
	if in, there := t.members[pid]; !there || in != slot {
		return
	}
	delete(t.members, pid)
	if t.ready[slot]--; t.ready[slot] == 0 {
		t.short[slot] = true
	}
}

// count is what the change does to the number of slots that miss somebody.
func (t *tally) count(c change) {
	was := t.missing
	t.missing = 0
	if was == 0 {
		t.low = maxSlots
	}
	for slot := range t.short {
		if slot < t.want {
			t.missing++
			t.low = min(t.low, slot)
		}
	}
	unwanted := t.low >= t.want && t.since >= t.asked // from the beginning
	switch {
	case was == 0 && t.missing > 0:
		t.since, t.line = c.at, c.line
	case was > 0 && t.missing == 0 && t.begun && c.at > t.since && !unwanted:
		t.below.add(t.since, c.at, t.line)
		t.total += (c.at - t.since).Seconds()
	}
	if ready := t.want - t.missing; t.begun && t.missing != was && (t.lowLine == 0 || ready < t.lowest) {
		t.lowest, t.lowLine = ready, c.line
	}
	if t.begun && t.missing != was && t.missing > 0 {
		t.dips = append(t.dips, dip{c.at, t.want - t.missing})
	}
	if t.missing == 0 {
		for _, d := range t.waiting {
			t.recover.add(d.at, c.at, d.line)
			t.back = c.at
		}
		t.waiting = t.waiting[:0]
	}
}

// end counts what is going on: up to now, or as something that never ends.
func (t *tally) end(now time.Duration, over bool) {
	if !t.begun || t.missing == 0 {
		return
	}
	open := func(d *dist, since time.Duration, line int) {
		if over {
			d.never(line)
		} else {
			d.add(since, now, line)
		}
	}
	open(&t.below, t.since, t.line)
	for _, d := range t.waiting {
		open(&t.recover, d.at, d.line)
	}
	if t.total += max(0, now-t.since).Seconds(); over {
		t.total = forever
	}
}

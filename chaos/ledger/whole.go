package ledger

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"
)

// Whole follows whether the pool has all the members that it should have, from the events of members where the target
// tells them, else from the samples. Things are recorded after they happened, some later than others, so that the
// changes are kept in the order of when they happened, and the intervals are told from that.
type Whole struct {
	size    int  // of the header
	events  bool // the target tells the events of its members
	Want    int  // by the last sample; before the first, the size
	looked  bool // want is from a sample
	changes []change
	over    bool
	overAt  time.Duration

	early Tally  // of the changes that nothing comes before any more, as a rule
	all   *Tally // of all of them, as it was at that time; nil: to be made
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

// MaxSlots bounds what a sample can make the checker do.
const MaxSlots = 1 << 16

// settledAfter is how long after it happened a thing is recorded at most, as a rule. One that is recorded later still
// counts as well, but everything has to be counted again.
const settledAfter = 10 * time.Second

// Death is the end of a victim that a receipt proves.
type Death struct {
	N, Slot, PID int // the injection that it is of, and its victim
	At           time.Duration
	Line         int // of the history that proves it

	Fate      Fate
	Back      time.Duration // when its slot was of use again, if it was
	Successor int           // the pid that answered then
}

// Took is for how long the slot was of no use, if it came back.
func (d *Death) Took() time.Duration { return max(0, d.Back-d.At) }

// Fate is what became of a slot whose member was killed.
type Fate int

// The fates of slots.
const (
	Waiting   Fate = iota // for a successor: the record ends before that is known
	Recovered             // a successor was ready and answered
	Never                 // none had by the end
	GivenUp               // the target is not to have the slot any more
)

func (w *Whole) init(size int, events bool) {
	w.size, w.Want, w.events, w.early = size, size, events, newTally(size)
}

// add puts a change in its place. What happened after the end does not count.
func (w *Whole) add(c change) {
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
func (w *Whole) risen(slot, pid int, at time.Duration, line int) {
	if w.events {
		w.add(change{at: at, kind: risen, line: line, slot: slot, n: pid})
	}
}

// fallen says that it is not any more.
func (w *Whole) fallen(slot, pid int, at time.Duration, line int) {
	if w.events && slot >= 0 {
		w.add(change{at: at, kind: fallen, line: line, slot: slot, n: pid})
	}
}

// sample takes in what a sample says: how many members there should be, and, of a target that does not tell events,
// whether they are.
func (w *Whole) sample(want, have int, s *Ledger) {
	if want != w.Want && (w.looked || w.Want > 0) && len(s.Injections.Broad) == 0 {
		s.malformed("the target was to have %d members and then %d, though no fault was aimed at it as a whole",
			w.Want, want)
	}
	if want != w.Want || !w.looked {
		w.add(change{at: s.Now, kind: wanted, line: s.Line, n: want, asked: s.Injections.shrunk()})
	}
	w.Want, w.looked = want, true
	if w.events {
		return
	}
	kind := risen
	if have < want {
		kind = fallen
	}
	w.add(change{at: s.Now, kind: kind, line: s.Line, slot: unseen, n: unseen})
}

func (w *Whole) close(now time.Duration) {
	w.over, w.overAt, w.all = true, now, nil
}

// tally is the figures as of that time, what is still going on included: as one that never ends if the end is over.
func (w *Whole) tally(now time.Duration) *Tally {
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

// Pool is the figures of the pool as a whole, by now.
func (s *Ledger) Pool() *Tally { return s.Whole.tally(s.Until()) }

// ReadyMin is the smaller of what the samples show and what the events tell.
func (s *Ledger) ReadyMin() Reading {
	r, t := Count(s.Looks.readyMin, s.Looks.struck), s.Pool()
	if t.lowLine > 0 && (r.Samples == 0 || float64(t.lowest) < r.Value) {
		r.Value = float64(t.lowest)
	}
	if t.lowLine > 0 {
		r.Samples++
	}
	return r
}

// Tally is what the changes come to.
type Tally struct {
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
	waiting []Death       // for the pool to be whole again
	Back    time.Duration // the last time that it was

	Below   Dist
	Recover Dist
	Total   float64
	lowest  int // the fewest that were ready since the faults began
	lowLine int
	Dips    []Dip
}

func newTally(size int) Tally {
	return Tally{want: size, asked: math.MaxInt64, members: map[int]int{}, ready: map[int]int{}, short: map[int]bool{}}
}

func (t *Tally) clone() *Tally {
	c := *t
	c.members, c.ready, c.short = maps.Clone(t.members), maps.Clone(t.ready), maps.Clone(t.short)
	c.waiting = slices.Clone(t.waiting)
	c.Below, c.Recover, c.Dips = t.Below.clone(), t.Recover.clone(), slices.Clone(t.Dips)
	return &c
}

// add takes the next change.
func (t *Tally) add(c change, events bool) {
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
			t.waiting = append(t.waiting, Death{Slot: c.slot, PID: c.n, At: c.at, Line: c.line})
		}
	}
	t.count(c)
}

// wants takes a new number of members. Slots that are new have nobody yet, unless it was told.
func (t *Tally) wants(n int) {
	for slot := t.want; slot < min(n, MaxSlots); slot++ {
		if t.ready[slot] == 0 {
			t.ready[slot], t.short[slot] = 0, true
		}
	}
	t.want = n
}

// takes the member from its slot, if it is there. A slot of which nothing was told has somebody.
func (t *Tally) takes(slot, pid int) {
	if in, there := t.members[pid]; !there || in != slot {
		return
	}
	delete(t.members, pid)
	if t.ready[slot]--; t.ready[slot] == 0 {
		t.short[slot] = true
	}
}

// count is what the change does to the number of slots that miss somebody.
func (t *Tally) count(c change) {
	was := t.missing
	t.missing = 0
	if was == 0 {
		t.low = MaxSlots
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
		t.Below.add(t.since, c.at, t.line)
		t.Total += (c.at - t.since).Seconds()
	}
	if ready := t.want - t.missing; t.begun && t.missing != was && (t.lowLine == 0 || ready < t.lowest) {
		t.lowest, t.lowLine = ready, c.line
	}
	if t.begun && t.missing != was && t.missing > 0 {
		t.Dips = append(t.Dips, Dip{c.at, t.want - t.missing})
	}
	if t.missing == 0 {
		for _, d := range t.waiting {
			t.Recover.add(d.At, c.at, d.Line)
			t.Back = c.at
		}
		t.waiting = t.waiting[:0]
	}
}

// end counts what is going on: up to now, or as something that never ends.
func (t *Tally) end(now time.Duration, over bool) {
	if !t.begun || t.missing == 0 {
		return
	}
	open := func(d *Dist, since time.Duration, line int) {
		if over {
			d.never(line)
		} else {
			d.add(since, now, line)
		}
	}
	open(&t.Below, t.since, t.line)
	for _, d := range t.waiting {
		open(&t.Recover, d.At, d.Line)
	}
	if t.Total += max(0, now-t.since).Seconds(); over {
		t.Total = forever
	}
}

package ledger

import (
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Looks is what the samples show: the target from outside, and its process.
type Looks struct {
	N        int
	Last     history.Sample // before the stage stop
	LastLine int
	readyMin int             // of chaos and settle
	Dips     []Dip           // of these
	struck   int             // how many numbers that is the smallest of
	base     *history.Sample // the last before chaos
	Verified *history.Sample // the last of the stage verify
	Gone     *history.Sample // the last of the stage stop
	EndLine  int
	firstOOM int64
	lastOOM  int64
	any      bool
	Missing  int // of settle and verify, the fewest
	Surplus  int // of the same, the fewest
	Calm     int // how many numbers that is the smallest of

	ParentMax, MembersMax   int64
	parentLine, membersLine int
	orphans                 time.Duration // since when there are some
	haveOrphans             bool
	Cgroups                 bool // there were some
	orphaned                Dist
}

// ReadyIn is how many are ready: the target's word, bounded by what /proc shows.
func ReadyIn(l *history.Sample) int { return min(l.Ready, l.Alive) }

func (s *Ledger) sample(e *history.Sample) {
	l := &s.Looks
	l.outside(e, s)
	for _, one := range e.Listings {
		s.Evidence.listings = append(s.Evidence.listings, Span{one.Asked, one.Answered})
	}
	switch {
	case s.Stage == stop:
		l.Gone, l.EndLine = e, s.Line
		return
	case s.Stage == Verify:
		l.Verified, l.EndLine = e, s.Line
	case s.Stage == Chaos || s.Stage == Settle:
		l.fewest(ReadyIn(e), e.Want, s.Now)
	}
	s.Settling.InTime = s.inTime()
	if s.Stage > Chaos && s.Settling.InTime {
		l.back(max(0, e.Want-ReadyIn(e)), max(0, ReadyIn(e)-s.Header.Target.Most))
	}
	if s.Stage < Chaos {
		l.base = e
	}
	l.Last, l.LastLine = *e, s.Line
	l.N++
	s.Whole.sample(e.Want, ReadyIn(e), s)
	s.Slots.giveUp(e.Want)
	s.Settling.Before, s.Settling.Looked = s.Settling.Looked, s.Now
}

// fewest takes a number of ready members.
func (l *Looks) fewest(ready, want int, at time.Duration) {
	if l.struck == 0 || ready < l.readyMin {
		l.readyMin = ready
	}
	if ready < want {
		l.Dips = append(l.Dips, Dip{at, ready})
	}
	l.struck++
}

// outside takes what does not depend on the target being up.
func (l *Looks) outside(e *history.Sample, s *Ledger) {
	if !l.any {
		l.any, l.firstOOM = true, e.HostOOM
	}
	if e.Want == 0 {
		s.Load.finish(s.Now)
	}
	l.lastOOM = e.HostOOM // not the largest: a victim's own kill is subtracted only once it is confirmed
	l.Cgroups = l.Cgroups || e.Cgroups > 0
	if e.ParentRSS > l.ParentMax {
		l.ParentMax, l.parentLine = e.ParentRSS, s.Line
	}
	if e.RSS > l.MembersMax {
		l.MembersMax, l.membersLine = e.RSS, s.Line
	}
	switch {
	case e.Orphans > 0 && !l.haveOrphans:
		l.haveOrphans, l.orphans = true, s.Now
	case e.Orphans == 0 && l.haveOrphans:
		l.haveOrphans = false
		l.orphaned.add(l.orphans, s.Now, s.Line)
	}
}

// Dip is a number of ready members below what is wanted.
type Dip struct {
	At    time.Duration
	Ready int
}

// CalmMin is pool.ready.min of the times at which the host was not starved.
func (s *Ledger) CalmMin() Reading {
	r := s.ReadyMin()
	r.Value = float64(s.Whole.Want)
	for _, dips := range [][]Dip{s.Looks.Dips, s.Pool().Dips} {
		for _, d := range dips {
			if !s.Host.at(d.At) {
				r.Value = min(r.Value, float64(d.Ready))
			}
		}
	}
	return r
}

// Looked is a figure of the last sample.
func (s *Ledger) Looked(v func(*history.Sample) int) Reading {
	return Count(v(&s.Looks.Last), s.Looks.N)
}

// back takes how many are missing, and how many are too many, at a look after the faults. One look in time is enough: a
// member that is being recycled at another is not missing.
func (l *Looks) back(missing, surplus int) {
	if l.Calm == 0 || missing < l.Missing {
		l.Missing = missing
	}
	if l.Calm == 0 || surplus < l.Surplus {
		l.Surplus = surplus
	}
	l.Calm++
}

// LeftAtEnd is a figure of what is left at the end: the larger of the last samples of verify and stop.
func (s *Ledger) LeftAtEnd(v func(*history.Sample) int) Reading {
	most, n := 0, 0
	for _, e := range []*history.Sample{s.Looks.Verified, s.Looks.Gone} {
		if e != nil {
			most = max(most, v(e))
			n++
		}
	}
	return Count(most, n)
}

// LeftBehind compares what is no member's at the end with before the first fault, while the target still runs.
func (s *Ledger) LeftBehind() Reading {
	base, end := s.Looks.base, s.Looks.Verified
	if base == nil || end == nil || end.Want == 0 || !s.Can("marker") {
		return Reading{}
	}
	return Count(max(0, end.Others-base.Others), 1)
}

// OrphansLeft needs the marker by which orphans are found.
func (s *Ledger) OrphansLeft() Reading {
	if !s.Can("marker") {
		return Reading{}
	}
	return s.LeftAtEnd(func(e *history.Sample) int { return e.Orphans })
}

// OrphanTime is the longest time for which there were processes of the target that were no member's.
func (s *Ledger) OrphanTime() Reading {
	l := &s.Looks
	switch {
	case !l.any || !s.Can("marker"):
		return Reading{}
	case l.haveOrphans && s.Complete():
		return Reading{forever, 1}
	case l.haveOrphans:
		return l.orphaned.with([]ongoing{{since: l.orphans}}, s.Until()).Max()
	case len(l.orphaned.Samples) == 0:
		return Reading{0, 1}
	}
	return l.orphaned.Now().Max()
}

// CgroupsLeaked compares with what the members accounted for before the first fault. It is not known for a target of
// which no sample ever had a cgroup.
func (s *Ledger) CgroupsLeaked() Reading {
	l := &s.Looks
	end := l.Gone
	if end == nil {
		end = l.Verified
	}
	if end == nil || !l.Cgroups || end.Want > 0 && l.base == nil {
		return Reading{}
	}
	due := 0
	if b := l.base; end.Want > 0 && b.Want > 0 {
		due = (b.Cgroups*end.Want + b.Want - 1) / b.Want
	}
	return Count(max(0, end.Cgroups-due), 1)
}

// Growth is a figure of the last sample less that before the first fault.
func (s *Ledger) Growth(v func(*history.Sample) int64) Reading {
	l := &s.Looks
	if l.base == nil || l.N == 0 || s.Stage < Chaos {
		return Reading{}
	}
	return Reading{float64(v(&l.Last) - v(l.base)), l.N}
}

// Most is the largest figure of the samples, which is not known if it was never told.
func (s *Ledger) Most(v int64) Reading {
	if v == 0 {
		return Reading{}
	}
	return Reading{float64(v), s.Looks.N}
}

// HostOOM counts the kills by the kernel, beside those of faults, that may have hit members.
func (s *Ledger) HostOOM() Reading {
	l := &s.Looks
	if !l.any {
		return Reading{}
	}
	return Reading{float64(l.lastOOM - l.firstOOM), max(1, l.N)}
}

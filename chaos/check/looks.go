package check

import (
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// looks is what the samples show: the target from outside, and its process.
type looks struct {
	n        int
	last     history.Sample // before the stage stop
	lastLine int
	readyMin int             // of chaos and settle
	dips     []dip           // of these
	struck   int             // how many numbers that is the smallest of
	base     *history.Sample // the last before chaos
	verified *history.Sample // the last of the stage verify
	gone     *history.Sample // the last of the stage stop
	endLine  int
	firstOOM int64
	lastOOM  int64
	any      bool
	missing  int // of settle and verify, the fewest
	calm     int // how many numbers that is the smallest of

	parentMax, membersMax   int64
	parentLine, membersLine int
	orphans                 time.Duration // since when there are some
	haveOrphans             bool
	cgroups                 bool // there were some
	orphaned                dist
}

// ready is how many are ready: the target's word, bounded by what /proc shows.
func ready(l *history.Sample) int { return min(l.Ready, l.Alive) }

func (s *state) sample(e *history.Sample) {
	l := &s.looks
	l.outside(e, s)
	for _, one := range e.Listings {
		s.evidence.listings = append(s.evidence.listings, span{one.Asked, one.Answered})
	}
	switch {
	case s.stage == stop:
		l.gone, l.endLine = e, s.line
		return
	case s.stage == verify:
		l.verified, l.endLine = e, s.line
	case s.stage == chaos || s.stage == settle:
		l.fewest(ready(e), e.Want, s.now)
	}
	if s.stage > chaos && s.inTime() {
		l.back(max(0, e.Want-ready(e)))
	}
	if s.stage < chaos {
		l.base = e
	}
	l.last, l.lastLine = *e, s.line
	l.n++
	s.whole.look(e.Want, ready(e), s)
	s.slots.look(e.Want)
	s.look()
	s.settling.looked = s.now
}

// fewest takes a number of ready members.
func (l *looks) fewest(ready, want int, at time.Duration) {
	if l.struck == 0 || ready < l.readyMin {
		l.readyMin = ready
	}
	if ready < want {
		l.dips = append(l.dips, dip{at, ready})
	}
	l.struck++
}

// outside takes what does not depend on the target being up.
func (l *looks) outside(e *history.Sample, s *state) {
	if !l.any {
		l.any, l.firstOOM = true, e.HostOOM
	}
	if e.Want == 0 {
		s.load.finish(s.now)
	}
	l.lastOOM = e.HostOOM // not the largest: a victim's own kill is subtracted only once it is confirmed
	l.cgroups = l.cgroups || e.Cgroups > 0
	if e.ParentRSS > l.parentMax {
		l.parentMax, l.parentLine = e.ParentRSS, s.line
	}
	if e.RSS > l.membersMax {
		l.membersMax, l.membersLine = e.RSS, s.line
	}
	switch {
	case e.Orphans > 0 && !l.haveOrphans:
		l.haveOrphans, l.orphans = true, s.now
	case e.Orphans == 0 && l.haveOrphans:
		l.haveOrphans = false
		l.orphaned.add(l.orphans, s.now, s.line)
	}
}

// dip is a number of ready members below what is wanted.
type dip struct {
	at    time.Duration
	ready int
}

// calmMin is pool.ready.min of the times at which the host was not starved.
func (s *state) calmMin() reading {
	r := s.readyMin()
	r.value = float64(s.whole.want)
	for _, dips := range [][]dip{s.looks.dips, s.pool().dips} {
		for _, d := range dips {
			if !s.host.at(d.at) {
				r.value = min(r.value, float64(d.ready))
			}
		}
	}
	return r
}

// looked is a figure of the last sample.
func (s *state) looked(v func(*history.Sample) int) reading {
	return count(v(&s.looks.last), s.looks.n)
}

// back takes how many are missing at a look after the faults. One look in time is enough: a member that is being recycled at
// another is not missing.
func (l *looks) back(missing int) {
	if l.calm == 0 || missing < l.missing {
		l.missing = missing
	}
	l.calm++
}

// left is a figure of what is left at the end: the larger of the last samples of verify and stop.
func (s *state) left(v func(*history.Sample) int) reading {
	most, n := 0, 0
	for _, e := range []*history.Sample{s.looks.verified, s.looks.gone} {
		if e != nil {
			most = max(most, v(e))
			n++
		}
	}
	return count(most, n)
}

// leftBehind compares what is no member's at the end with before the first fault, while the target still runs.
func (s *state) leftBehind() reading {
	base, end := s.looks.base, s.looks.verified
	if base == nil || end == nil || end.Want == 0 || !s.can("marker") {
		return reading{}
	}
	return count(max(0, end.Others-base.Others), 1)
}

// orphansLeft needs the marker by which orphans are found.
func (s *state) orphansLeft() reading {
	if !s.can("marker") {
		return reading{}
	}
	return s.left(func(e *history.Sample) int { return e.Orphans })
}

func (s *state) orphanTime() reading {
	l := &s.looks
	switch {
	case !l.any || !s.can("marker"):
		return reading{}
	case l.haveOrphans && s.complete():
		return reading{forever, 1}
	case l.haveOrphans:
		return l.orphaned.with([]ongoing{{since: l.orphans}}, s.until()).max()
	case len(l.orphaned.samples) == 0:
		return reading{0, 1}
	}
	return l.orphaned.now().max()
}

// cgroupsLeaked compares with what the members accounted for before the first fault. It is not known for a target of which
// no sample ever had a cgroup.
func (s *state) cgroupsLeaked() reading {
	l := &s.looks
	end := l.gone
	if end == nil {
		end = l.verified
	}
	if end == nil || !l.cgroups || end.Want > 0 && l.base == nil {
		return reading{}
	}
	due := 0
	if b := l.base; end.Want > 0 && b.Want > 0 {
		due = (b.Cgroups*end.Want + b.Want - 1) / b.Want
	}
	return count(max(0, end.Cgroups-due), 1)
}

// growth is a figure of the last sample less that before the first fault.
func (s *state) growth(v func(*history.Sample) int64) reading {
	l := &s.looks
	if l.base == nil || l.n == 0 || s.stage < chaos {
		return reading{}
	}
	return reading{float64(v(&l.last) - v(l.base)), l.n}
}

// most is the largest figure of the samples, which is not known if it was never told.
func (s *state) most(v int64) reading {
	if v == 0 {
		return reading{}
	}
	return reading{float64(v), s.looks.n}
}

func (s *state) hostOOM() reading {
	l := &s.looks
	if !l.any {
		return reading{}
	}
	return reading{float64(l.lastOOM - l.firstOOM), max(1, l.n)}
}

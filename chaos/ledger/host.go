package ledger

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// When a host is starved: others took a good part of what there was, and somebody had to wait. Both are asked for,
// since work of the target itself makes everybody wait as well, and CPUs that nobody waits for may be taken by whoever
// likes. What the harness and the target use counts for neither: a target cannot make itself an excuse by burning CPU.
// The numbers are explained in docs/decisions/0049-a-starved-host.md.
const (
	takenByOthers = 1.0 / 3 // of the CPU time, by other processes or other machines
	waitedFor     = 1.0 / 4 // of the time, by some task that could have run; of the periods, by a group at its limit
	hardlyIdle    = 1.0 / 10
	canaryLate    = 5 * time.Millisecond
	// a group that may use less than this is starved by its limit whoever uses it up
	oneCPU = 1.0
	seam   = 50 * time.Millisecond // between two looks that follow each other
)

// Host is what the looks at the host show.
type Host struct {
	Looks   int
	Late    Dist
	Starved []Interval // in order, neighbours joined
	Sums    HostSums   // of all looks
	Worst   HostSums   // of the looks at which it was starved
	floors  map[string]float64

	seen [3]int // outcomes ok by window, as of the last look
	hit  [3]int // of these, those that came while it was starved
}

// Interval is a time in which the host was starved, with how long that was in all before it.
type Interval struct{ from, to, before time.Duration }

// HostSums adds up looks.
type HostSums struct {
	over, All, Own, Others, Stolen, Told, Pressure time.Duration
	Periods, Throttled                             int64
	Latest                                         time.Duration
	Limit                                          float64 // the last; 0: none
}

func (h *HostSums) add(e *history.Host) {
	h.over += e.Over
	h.All += e.Over * time.Duration(e.CPUs)
	h.Own += e.Own
	h.Others += e.Others
	h.Stolen += e.Stolen
	if e.Pressure >= 0 {
		h.Told += e.Over
		h.Pressure += e.Pressure
	}
	if e.Limit != nil {
		h.Periods += e.Limit.Periods
		h.Throttled += e.Limit.Throttled
		h.Limit = e.Limit.CPUs
	}
	for _, l := range e.Late {
		h.Latest = max(h.Latest, l)
	}
}

// host takes a look at the host. It covers a time that is over by now.
func (s *Ledger) hostLook(e *history.Host) {
	h := &s.Host
	if len(e.Floors) > 0 {
		h.floors = e.Floors
	}
	if e.Over <= 0 {
		return
	}
	h.Looks++
	h.Sums.add(e)
	from := max(0, s.Now-e.Over)
	for _, l := range e.Late {
		h.Late.addSeconds(l.Seconds(), s.Line)
	}
	starved := Starved(e)
	for i := range h.seen {
		ok := s.Load.windows[i].ok
		if starved {
			h.hit[i] += ok - h.seen[i]
		}
		h.seen[i] = ok
	}
	if !starved {
		return
	}
	h.Worst.add(e)
	if n := len(h.Starved); n > 0 && from-h.Starved[n-1].to <= seam {
		h.Starved[n-1].to = max(s.Now, h.Starved[n-1].to)
	} else {
		h.Starved = append(h.Starved, Interval{from, s.Now, h.UpTo(from)})
	}
}

// Starved tells whether that look at a host shows it starved: what fails in such a time because it took too long blames
// nobody.
func Starved(e *history.Host) bool {
	if l := e.Limit; l != nil && l.Throttled > 0 && float64(l.Throttled) >= waitedFor*float64(l.Periods) {
		if l.CPUs < oneCPU || l.Others.Seconds() >= takenByOthers*l.CPUs*e.Over.Seconds() {
			return true
		}
	}
	all := (e.Over * time.Duration(e.CPUs)).Seconds()
	if all <= 0 || (e.Others+e.Stolen).Seconds() < takenByOthers*all {
		return false
	}
	return e.Pressure.Seconds() >= waitedFor*e.Over.Seconds() || e.Idle.Seconds() <= hardlyIdle*all ||
		slices.ContainsFunc(e.Late, func(l time.Duration) bool { return l >= canaryLate })
}

// UpTo is for how long the host had been starved by then.
func (h *Host) UpTo(t time.Duration) time.Duration {
	i := sort.Search(len(h.Starved), func(i int) bool { return h.Starved[i].from >= t }) - 1
	if i < 0 {
		return 0
	}
	in := h.Starved[i]
	return in.before + min(t, in.to) - in.from
}

// Within is for how long the host was starved between the two.
func (h *Host) Within(from, to time.Duration) time.Duration { return max(0, h.UpTo(to)-h.UpTo(from)) }

// at tells whether the host was starved at that moment.
func (h *Host) at(t time.Duration) bool { return h.Within(t-1, t) > 0 }

// Endless is later than any moment.
const Endless = time.Duration(math.MaxInt64)

// FloorChange is the floor of a process's start after the run as a share of that before.
func (s *Ledger) FloorChange() Reading {
	before, after := s.Header.Floors["spawn"], s.Host.floors["spawn"]
	if before <= 0 || after <= 0 {
		return Reading{}
	}
	return Reading{after / before, 1}
}

// CalmWall is the wall time without that for which the host was starved.
func (s *Ledger) CalmWall() Reading {
	r := s.Wall()
	r.Value -= s.Host.Within(s.Tasks.submitted, s.Tasks.last).Seconds()
	return r
}

// CalmOrphanTime is OrphanTime without the time for which the host was starved.
func (s *Ledger) CalmOrphanTime() Reading {
	r := s.OrphanTime()
	if len(s.Looks.orphaned.Samples) > 0 && !s.Looks.haveOrphans {
		r.Value = s.Looks.orphaned.Calm(&s.Host).Worst
	}
	return r
}

// CalmThroughput is of the tasks that ended while the host was not starved. It is not known if that was for less than
// half of the time and less than a second.
func (s *Ledger) CalmThroughput(windows ...int) Reading {
	all, calm, ok := 0.0, 0.0, 0
	for _, i := range windows {
		w := s.during(i)
		all += w.seconds()
		calm += max(0, w.seconds()-s.Host.Within(w.from, w.to).Seconds())
		ok += w.ok - s.Host.hit[i]
	}
	if s.Load.Count == 0 || calm < min(1, all/2) || calm == 0 {
		return Reading{}
	}
	return Reading{float64(ok) / calm, max(1, ok)}
}

// CalmAchieved is not known if the host was starved for a tenth of the load: how much would have been submitted nobody
// knows.
func (s *Ledger) CalmAchieved() Reading {
	var all, starved float64
	for i := range s.Load.windows {
		w := s.during(i)
		all += w.seconds()
		starved += s.Host.Within(w.from, w.to).Seconds()
	}
	if starved >= all/10 {
		return Reading{}
	}
	return s.Achieved()
}

// StarvedShort tells whether fewer faults were confirmed than the scenario requires because the host was too busy:
// those that are missing did not find their moment, and it was starved for a good part of the stage chaos.
func (s *Ledger) StarvedShort() bool {
	missing := 0
	for i, n := range s.Header.Nemesis {
		missing += max(0, max(1, n.Require)-s.Injections.Confirmed[i])
	}
	until := cmp.Or(s.Began[Settle], s.Now)
	return missing > 0 && missing <= s.Injections.Outcomes[history.Missed] &&
		4*s.Host.Within(s.Began[Chaos], until) >= until-s.Began[Chaos]
}

package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// When a host is starved: others took a good part of what there was, and somebody had to wait. Both are asked for, since
// work of the target itself makes everybody wait as well, and CPUs that nobody waits for may be taken by whoever likes.
// What the harness and the target use counts for neither: a target cannot make itself an excuse by burning CPU. The numbers
// are explained in docs/decisions/0049-a-starved-host.md.
const (
	takenByOthers = 1.0 / 3 // of the CPU time, by other processes or other machines
	waitedFor     = 1.0 / 4 // of the time, by some task that could have run; of the periods, by a group at its limit
	hardlyIdle    = 1.0 / 10
	canaryLate    = 5 * time.Millisecond
	oneCPU        = 1.0                   // a group that may use less than this is starved by its limit whoever uses it up
	seam          = 50 * time.Millisecond // between two looks that follow each other
)

// host is what the looks at the host show.
type host struct {
	looks   int
	late    dist
	starved []interval // in order, neighbours joined
	sums    hostSums   // of all looks
	worst   hostSums   // of the looks at which it was starved
	floors  map[string]float64

	seen [3]int // outcomes ok by window, as of the last look
	hit  [3]int // of these, those that came while it was starved
}

// interval is a time in which the host was starved, with how long that was in all before it.
type interval struct{ from, to, before time.Duration }

// hostSums adds up looks.
type hostSums struct {
	over, all, own, others, stolen, told, pressure time.Duration
	periods, throttled                             int64
	latest                                         time.Duration
	limit                                          float64 // the last; 0: none
}

func (h *hostSums) add(e *history.Host) {
	h.over += e.Over
	h.all += e.Over * time.Duration(e.CPUs)
	h.own += e.Own
	h.others += e.Others
	h.stolen += e.Stolen
	if e.Pressure >= 0 {
		h.told += e.Over
		h.pressure += e.Pressure
	}
	if e.Limit != nil {
		h.periods += e.Limit.Periods
		h.throttled += e.Limit.Throttled
		h.limit = e.Limit.CPUs
	}
	for _, l := range e.Late {
		h.latest = max(h.latest, l)
	}
}

// host takes a look at the host. It covers a time that is over by now.
func (s *state) hostLook(e *history.Host) {
	h := &s.host
	if len(e.Floors) > 0 {
		h.floors = e.Floors
	}
	if e.Over <= 0 {
		return
	}
	h.looks++
	h.sums.add(e)
	from := max(0, s.now-e.Over)
	for _, l := range e.Late {
		h.late.addSeconds(l.Seconds(), s.line)
	}
	starved := Starved(e)
	for i := range h.seen {
		ok := s.load.windows[i].ok
		if starved {
			h.hit[i] += ok - h.seen[i]
		}
		h.seen[i] = ok
	}
	if !starved {
		return
	}
	h.worst.add(e)
	if n := len(h.starved); n > 0 && from-h.starved[n-1].to <= seam {
		h.starved[n-1].to = max(s.now, h.starved[n-1].to)
	} else {
		h.starved = append(h.starved, interval{from, s.now, h.upTo(from)})
	}
}

// Starved tells whether that look at a host shows it starved: what fails in such a time because it took too long blames nobody.
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

// upTo is for how long the host had been starved by then.
func (h *host) upTo(t time.Duration) time.Duration {
	i := sort.Search(len(h.starved), func(i int) bool { return h.starved[i].from >= t }) - 1
	if i < 0 {
		return 0
	}
	in := h.starved[i]
	return in.before + min(t, in.to) - in.from
}

// within is for how long the host was starved between the two.
func (h *host) within(from, to time.Duration) time.Duration { return max(0, h.upTo(to)-h.upTo(from)) }

// at tells whether the host was starved at that moment.
func (h *host) at(t time.Duration) bool { return h.within(t-1, t) > 0 }

// endless is later than any moment.
const endless = time.Duration(math.MaxInt64)

func (s *state) floorChange() reading {
	before, after := s.h.Floors["spawn"], s.host.floors["spawn"]
	if before <= 0 || after <= 0 {
		return reading{}
	}
	return reading{after / before, 1}
}

// calmWall is the wall time without that for which the host was starved.
func (s *state) calmWall() reading {
	r := s.wall()
	r.value -= s.host.within(s.account.submitted, s.account.last).Seconds()
	return r
}

func (s *state) calmOrphanTime() reading {
	r := s.orphanTime()
	if len(s.looks.orphaned.samples) > 0 && !s.looks.haveOrphans {
		r.value = s.looks.orphaned.calm(&s.host).worst
	}
	return r
}

// calmThroughput is of the tasks that ended while the host was not starved. It is not known if that was for less than half of
// the time and less than a second.
func (s *state) calmThroughput(windows ...int) reading {
	all, calm, ok := 0.0, 0.0, 0
	for _, i := range windows {
		w := s.during(i)
		all += w.seconds()
		calm += max(0, w.seconds()-s.host.within(w.from, w.to).Seconds())
		ok += w.ok - s.host.hit[i]
	}
	if s.load.count == 0 || calm < min(1, all/2) || calm == 0 {
		return reading{}
	}
	return reading{float64(ok) / calm, max(1, ok)}
}

// calmAchieved is not known if the host was starved for a tenth of the load: how much would have been submitted nobody knows.
func (s *state) calmAchieved() reading {
	var all, starved float64
	for i := range s.load.windows {
		w := s.during(i)
		all += w.seconds()
		starved += s.host.within(w.from, w.to).Seconds()
	}
	if starved >= all/10 {
		return reading{}
	}
	return s.achieved()
}

// calmly is the threshold without the time for which the host was starved: without data where too little is left. ok is false
// where that makes no difference: the host was not starved, the figure is not about time, or what should have come never did.
func (s *state) calmly(r history.Rule, t Threshold) (calm Threshold, ok bool) {
	m, _ := Lookup(r.Metric)
	if m.calm == nil || len(s.host.starved) == 0 || t.NoData || math.IsInf(t.Actual, 0) {
		return t, false
	}
	value, limit := m.calm(s), reading{t.Limit, 1}
	if than, _ := Lookup(r.Than); than.calm != nil {
		limit = than.calm(s)
	}
	t.NoData = value.samples == 0 || limit.samples == 0
	t.Actual, t.Limit, t.Samples = value.value, limit.value, value.samples
	t.OK = !t.NoData && compare(t.Actual, t.Op, t.Limit)
	return t, true
}

// starvedOut tells whether the broken rule is broken only for the time for which the host was starved.
func (s *state) starvedOut(r history.Rule, t Threshold) bool {
	calm, ok := s.calmly(r, t)
	return ok && (calm.OK || calm.NoData || r.For > 0 && s.host.within(s.now-r.For, s.now) > 0)
}

// starvedShort tells whether fewer faults were confirmed than the scenario requires because the host was too busy: those that
// are missing did not find their moment, and it was starved for a good part of the stage chaos.
func (s *state) starvedShort() bool {
	missing := 0
	for i, n := range s.h.Nemesis {
		missing += max(0, max(1, n.Require)-s.faults.confirmed[i])
	}
	until := cmp.Or(s.began[settle], s.now)
	return missing > 0 && missing <= s.faults.outcomes[history.Missed] && 4*s.host.within(s.began[chaos], until) >= until-s.began[chaos]
}

// needsFaults tells whether the rule is about the faults or what they lead to, and no promise.
func (v *verdict) needsFaults(r history.Rule) bool {
	return r.Metric == "faults.confirmed" || r.Group == "expect" && !slices.Contains(Promises(), r.Metric)
}

// excuse finds that something was broken of which the host's want of CPU time is as good a cause as the target.
func (v *verdict) excuse(code Code, metric string, line int, text string) {
	v.findings = append(v.findings, Finding{Inconclusive, code, metric, text + "; but " + v.s.host.tooBusy(), line, true})
}

// tooBusy says that, and how, the host was starved.
func (h *host) tooBusy() string {
	w := &h.worst
	share := func(part, of float64) string { return percent(part / max(of, 1e-9)) }
	how := []string{}
	if w.others+w.stolen > w.all/10 {
		how = append(how, "others took "+share((w.others+w.stolen).Seconds(), w.all.Seconds())+" of its CPU time")
	}
	if w.throttled > 0 {
		how = append(how, fmt.Sprintf("a limit of %s CPUs stopped the run in %s of the periods", formatNumber(w.limit), share(float64(w.throttled), float64(w.periods))))
	}
	if w.told > 0 {
		how = append(how, "somebody waited for a CPU "+share(w.pressure.Seconds(), w.told.Seconds())+" of the time")
	}
	how = append(how, "a sleep ended up to "+Seconds.Show(w.latest.Seconds())+" late")
	return "the host was starved for " + Seconds.Show(h.upTo(endless).Seconds()) + ": " + strings.Join(how, ", ")
}

package history

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Together is the largest number of different processes that were at work at one moment. An execution that does not end
// after its start counts for nothing.
func Together(runs []Run) int {
	type turn struct {
		at    time.Duration
		begin bool
		pid   int
	}
	turns := make([]turn, 0, 2*len(runs))
	for _, r := range runs {
		if r.End > r.Start {
			turns = append(turns, turn{r.Start, true, r.PID}, turn{r.End, false, r.PID})
		}
	}
	slices.SortFunc(turns, func(a, b turn) int { // what ends when another begins was not beside it
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(btoi(a.begin), btoi(b.begin)))
	})
	most, working := 0, map[int]int{}
	for _, t := range turns {
		if t.begin {
			working[t.pid]++
		} else if working[t.pid]--; working[t.pid] == 0 {
			delete(working, t.pid)
		}
		most = max(most, len(working))
	}
	return most
}

// AtWork is the part of an execution of a task that lasts hold in which it must have been at work, wherever in its time
// the process waited. It is empty where the execution took twice as long as the task, or more, and the whole of one
// that has no end or was quicker.
func (r Run) AtWork(hold time.Duration) Run {
	if r.End-r.Start > hold {
		r.Start, r.End = r.End-hold, r.Start+hold
	}
	return r
}

// Retirements tells which processes were to take no more tasks, and when: from the moment at which a history tells that
// a member retires, or that a listing leaves it out, until it tells that the member is ready again. The zero value is
// ready to use.
type Retirements struct{ times map[int][]retirement }

// retirement is from when it was told until the process was a member again, or another one had its number; 0: never.
type retirement struct{ from, to time.Duration }

// Hear takes an event that was recorded at that time.
func (l *Retirements) Hear(m *MemberEvent, at time.Duration) {
	if l.times == nil {
		l.times = map[int][]retirement{}
	}
	list := l.times[m.PID]
	open := len(list) > 0 && list[len(list)-1].to == 0
	switch m.Op {
	case Retiring, Quarantined:
		if !open {
			l.times[m.PID] = append(list, retirement{from: at})
		}
	case Started, Ready, Exited:
		if open {
			list[len(list)-1].to = at
		}
	}
}

// Retired tells whether the process was to take no more tasks then. What it had just been given when that was told it
// may still begin.
func (l *Retirements) Retired(pid int, at time.Duration) bool {
	return slices.ContainsFunc(l.times[pid], func(r retirement) bool {
		return r.from+onItsWay < at && (r.to == 0 || at < r.to)
	})
}

// onItsWay is how long a task may be on its way to a member.
const onItsWay = 20 * time.Millisecond

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Slow is how much longer than its length a short task may take a member at the end, whose likes usually took so much
// longer before the faults: far more than the noise of a host, of the quickest of several.
func Slow(before time.Duration) time.Duration { return 5*before + 100*time.Millisecond }

// Longest is the most of the times that members' quickest answers took.
func Longest(quick map[int]time.Duration) (most time.Duration) {
	for _, took := range quick {
		most = max(most, took)
	}
	return most
}

// Usual is the least such time that half of the members did not take longer than: one that was slow is no licence for
// the others.
func Usual(quick map[int]time.Duration) time.Duration {
	all := slices.Sorted(maps.Values(quick))
	if len(all) == 0 {
		return 0
	}
	return all[(len(all)-1)/2]
}

// Quick is how much longer than its length a task may take a member before the faults without being timed again.
const Quick = 20 * time.Millisecond

// Hold is how long the first tasks last that are sent to so many slots at once.
func Hold(slots int) time.Duration {
	return 50*time.Millisecond + time.Duration(slots)*time.Millisecond/2
}

// Depth is how many tasks for each slot are sent at once to see how quickly a queue is done.
const Depth = 4

// Pace is how many tasks a target did at a time, on the average, that did n tasks of that length within took.
func Pace(n int, hold, took time.Duration) float64 {
	if n == 0 || took <= 0 {
		return 0
	}
	return float64(n) * hold.Seconds() / took.Seconds()
}

// BestPace is the best that the first answers to n tasks of that length show, half of them at least, which took so
// long: one that comes late says little of the others. Those of which that is not known have 0.
func BestPace(n int, hold time.Duration, took []time.Duration) (best float64) {
	for i, d := range took {
		if 2*(i+1) >= n {
			best = max(best, Pace(i+1, hold, d))
		}
	}
	return best
}

// Regained is the least share of its pace before the faults that a target must have again at the end: less than the
// noise of a host takes, of the best of several queues, and more than is left of a pool in whose slots tasks wait as
// long as they last.
const Regained = 0.5

// Patience is for how long so many slots that were not at work at the same time are asked again before that is held
// against them.
func Patience(slots int) time.Duration { return 50 * Hold(slots) }

package pool

import (
	"container/heap"
	"time"
)

// patience is the clock by which the pool measures how long it waits for workers and for what they run. It stands still
// while this process does: stopped, frozen, or without a CPU. A reading that comes later than it was to moves the clock
// back by what it was late, and whoever measures by it has readings made at least every eighth of its limit; a stop
// costs no more than that.
type patience struct {
	lost  time.Duration // how long this process did not run
	due   time.Time     // when it is to be read next, by the time of day; zero: at any time
	grain time.Duration // a reading may be so late
}

const (
	longestGrain  = time.Second / 2
	shortestGrain = 10 * time.Millisecond // the scheduler's
)

// now is the time by this clock.
func (c *patience) now() time.Time {
	t := time.Now()
	if late := t.Sub(c.due); late > c.grain && !c.due.IsZero() {
		c.lost += late
		c.due = t
	}
	return t.Add(-c.lost)
}

// fromWall is what a time of the wall clock is by this clock as it stands.
func (c *patience) fromWall(t time.Time) time.Time { return t.Add(-c.lost) }

// toWall is the wall clock's time of a time by this clock.
func (c *patience) toWall(t time.Time) time.Time { return t.Add(c.lost) }

// within is when to look again at something that is due then, and was given so much time.
func (c *patience) within(limit time.Duration, due, now time.Time) time.Time {
	step := max(limit/8, keeperTick)
	c.grain = min(c.grain, max(step, shortestGrain))
	return earliest(due, now.Add(step))
}

// alarm is something that is done, in a critical section, when a time has passed by the pool's clock. The keeper does
// it.
type alarm struct {
	due   time.Time
	ring  func()
	index int // in alarms; -1: it is over
}

// alarms are those that are set, the next first.
type alarms struct {
	list  []*alarm
	limit time.Duration // the shortest time that one was given since none was set
}

func (a *alarms) Len() int           { return len(a.list) }
func (a *alarms) Less(i, j int) bool { return a.list[i].due.Before(a.list[j].due) }
func (a *alarms) Swap(i, j int) {
	a.list[i], a.list[j] = a.list[j], a.list[i]
	a.list[i].index, a.list[j].index = i, j
}
func (a *alarms) Push(x any) { a.list = append(a.list, x.(*alarm)) }

func (a *alarms) Pop() any {
	last := a.list[len(a.list)-1]
	a.list[len(a.list)-1] = nil // what it would do is not kept
	a.list = a.list[:len(a.list)-1]
	last.index = -1
	return last
}

// after has ring called when so much time has passed.
func (st *state) after(limit time.Duration, ring func()) *alarm {
	now := st.clock.now()
	if len(st.alarms.list) == 0 || limit < st.alarms.limit {
		st.alarms.limit = limit
	}
	a := &alarm{due: now.Add(limit), ring: ring, index: len(st.alarms.list)}
	heap.Push(&st.alarms, a)
	if now.Add(limit / 8).Before(st.keeperNext) {
		st.keeperWake()
	}
	return a
}

// stopAlarm keeps an alarm, which may be nil, from ringing.
func (st *state) stopAlarm(a *alarm) {
	if a != nil && a.index >= 0 {
		heap.Remove(&st.alarms, a.index)
	}
}

// ring does what is due, and returns when to look again.
func (st *state) ring(now time.Time) (next time.Time) {
	for len(st.alarms.list) > 0 {
		a := st.alarms.list[0]
		if now.Before(a.due) {
			return st.clock.within(st.alarms.limit, a.due, now)
		}
		heap.Pop(&st.alarms)
		a.ring()
	}
	return time.Time{}
}

package history

import (
	"cmp"
	"slices"
	"time"
)

// Together is the largest number of different processes that were at work at one moment. An execution without an end
// counts up to its start.
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

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Slow is how much longer than its length a short task may take a member at the end, whose likes took so much longer
// before the faults: far more than the noise of a host, of the quickest of several.
func Slow(before time.Duration) time.Duration { return 5*before + 100*time.Millisecond }

// Longest is the most of the times that members' quickest answers took.
func Longest(quick map[int]time.Duration) (most time.Duration) {
	for _, took := range quick {
		most = max(most, took)
	}
	return most
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

// Regained is the least share of its pace before the faults that a target must have again at the end: less than the
// noise of a host takes, of the best of several queues, and more than is left of a pool in whose slots tasks wait as
// long as they last.
const Regained = 0.5

// Patience is for how long so many slots that were not at work at the same time are asked again before that is held
// against them.
func Patience(slots int) time.Duration { return 50 * Hold(slots) }

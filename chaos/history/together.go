package history

import (
	"cmp"
	"slices"
	"time"
)

// Together is the largest number of different processes that were at work at one moment. An execution without an end counts up
// to its start.
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

// Slow is how much longer than its length a short task may take a member at the end, whose likes took so much longer before the
// faults: far more than the noise of a host, of the quickest of several.
func Slow(before time.Duration) time.Duration { return 5*before + 100*time.Millisecond }

// Quick is how much longer than its length a task may take a member before the faults without being timed again.
const Quick = 20 * time.Millisecond

// Hold is how long the first tasks last that are sent to so many slots at once.
func Hold(slots int) time.Duration {
	return 50*time.Millisecond + time.Duration(slots)*time.Millisecond/2
}

// Patience is for how long so many slots that were not at work at the same time are asked again before that is held against them.
func Patience(slots int) time.Duration { return 50 * Hold(slots) }

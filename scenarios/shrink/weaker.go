package shrink

import (
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/scenarios"
)

const (
	firstPause = 400 * time.Millisecond // in place of what ends the victim
	leastPause = 50 * time.Millisecond
)

// pause is the fault of that length.
func pause(d time.Duration) string { return "{pause: {for: " + d.String() + "}}" }

// isPause tells whether a fault stops its victim only for a while.
func isPause(fault string) bool { return strings.HasPrefix(fault, "{pause:") }

// weaker puts a pause in place of what ends the victim, makes pauses shorter, and takes any victim that is in the slot
// whatever it is doing.
func (x *search) weaker() error {
	for i := range x.best.Strikes {
		if x.best.Strikes[i].Whole {
			continue
		}
		for length := firstPause; length >= leastPause; length /= 2 {
			if ok, err := x.try(x.best.change(i, func(s *scenarios.Strike) { s.Fault = pause(length) })); err != nil {
				return err
			} else if !ok {
				break
			}
		}
		if s := x.best.Strikes[i]; s.State != "" || s.Phase != "" {
			if _, err := x.try(x.best.change(i, func(s *scenarios.Strike) { s.State, s.Phase = "", "" })); err != nil {
				return err
			}
		}
	}
	return nil
}

// gap is a time in which a target has recovered from one injection before the next.
const gap = 500 * time.Millisecond

// apart puts time between strikes: each that still does it then need not come soon after the one before.
func (x *search) apart() error {
	for i := 1; i < len(x.best.Strikes); i++ {
		later := gap - (x.best.Strikes[i].At - x.best.Strikes[i-1].At)
		if later <= 0 {
			x.loose[i] = true
			continue
		}
		ok, err := x.try(x.best.shifted(i, later))
		if err != nil {
			return err
		}
		x.loose[i] = ok
	}
	return nil
}

// shifted is the candidate with the strikes from the i-th on at another time.
func (c Candidate) shifted(i int, by time.Duration) Candidate {
	c = c.with(c.Strikes)
	for k := i; k < len(c.Strikes); k++ {
		c.Strikes[k].At += by
	}
	return c
}

// sooner lets nothing pass before the first strike, and no more than need be between those that stand apart.
func (x *search) sooner() error {
	for i, s := range x.best.Strikes {
		before, least := time.Duration(0), time.Duration(0)
		if i > 0 {
			before, least = x.best.Strikes[i-1].At, gap
		}
		if s = x.best.Strikes[i]; s.At-before > least {
			if _, err := x.try(x.best.shifted(i, least-(s.At-before))); err != nil {
				return err
			}
		}
	}
	return nil
}

// lighter halves the load as long as it still fails.
func (x *search) lighter() error {
	for _, field := range []func(*Candidate) *int{
		func(c *Candidate) *int { return &c.Concurrency },
		func(c *Candidate) *int { return &c.Rate },
		func(c *Candidate) *int { return &c.Count },
	} {
		for {
			c := x.best
			n := field(&c)
			if *n <= 1 {
				break
			}
			*n /= 2
			if ok, err := x.try(c); err != nil {
				return err
			} else if !ok {
				break
			}
		}
	}
	return nil
}

// smaller has fewer members: as many as there are victims, with the numbers from 0, else as many as the highest number
// needs.
func (x *search) smaller() error {
	var slots []int
	for _, s := range x.best.Strikes {
		if !s.Whole && s.Slot >= 0 {
			slots = append(slots, s.Slot)
		}
	}
	slices.Sort(slots)
	slots = slices.Compact(slots)
	renumbered := x.best.with(x.best.Strikes)
	for i, s := range renumbered.Strikes {
		if at := slices.Index(slots, s.Slot); at >= 0 && !s.Whole {
			renumbered.Strikes[i].Slot = at
		}
	}
	as := x.best
	for _, c := range []struct {
		Candidate
		size int
	}{{renumbered, max(len(slots), 1)}, {renumbered, len(slots) + 1}, {as, slices.Max(append(slots, 0)) + 1}} {
		if c.size >= x.best.Size {
			continue
		}
		c.Size = c.size
		if ok, err := x.try(c.Candidate); ok || err != nil {
			return err
		}
	}
	return nil
}

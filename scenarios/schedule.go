package scenarios

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos"
)

func (w When) check(d *decoder, path string) {
	kinds := 0
	for _, set := range []bool{w.Every > 0 && w.Burst == 0, w.Poisson > 0, len(w.Sequence) > 0, w.Burst > 0} {
		if set {
			kinds++
		}
	}
	if kinds > 1 {
		d.fail(path, "every, poisson, burst and sequence contradict each other: want one (burst may have an every "+
			"between bursts)")
		return
	}
	if w.Jitter > 0 && w.Every == 0 {
		d.fail(path+".jitter", "jitter spreads every, which is missing")
	}
	if !slices.IsSorted(w.Sequence) {
		d.fail(path+".sequence", "sequence must not go back in time")
	}
	repeats, broken := w.Every > 0 || w.Poisson > 0, d.broken(path)
	if repeats && w.For == 0 && w.Times == 0 && !broken {
		d.fail(path, "no end: say for how long (for: 10s) or how often (times: 20)")
	}
	if !repeats && !broken && (w.For > 0 || w.Times > 1) {
		d.fail(path, "for and times need a rhythm: every or poisson")
	}
	place := path + ".times"
	if w.Burst > 1 {
		place = path + ".burst"
	}
	d.engine(path, place, w.engine().Validate())
}

// checkPlan reports the entry with which the schedules, each of them in bounds, are too many together.
func (s *Scenario) checkPlan(d *decoder) {
	shots := 0.0
	for i, n := range s.Chaos {
		path := fmt.Sprintf("chaos.%d.when", i)
		if shots += n.When.engine().Shots(); shots > chaos.MaxShots && !d.broken(path) {
			d.fail(path, "%.0f injections are planned with those above: want at most %d", shots, chaos.MaxShots)
			return
		}
	}
}

// most is the largest number of injections the schedule can make, generously.
func (n *Nemesis) most(size int) float64 {
	w, times := n.When, 1.0
	switch {
	case len(w.Sequence) > 0:
		times = float64(len(w.Sequence))
	case w.Every > 0 && w.For > 0:
		times = math.Floor(float64(w.For)/(float64(w.Every)*(1-float64(w.Jitter)))) + 1
	case w.Poisson > 0 && w.For > 0:
		mean := float64(w.Poisson) * w.For.Std().Seconds()
		times = mean + 6*math.Sqrt(mean) + 6
	case w.Every > 0 || w.Poisson > 0:
		times = math.Inf(1)
	}
	if w.Times > 0 {
		times = min(times, float64(w.Times))
	}
	victims := 1.0
	switch p := n.Pick; {
	case p.All, p.Percent > 0:
		victims = max(float64(size), 1)
		if size == 0 {
			return math.Inf(1)
		}
	default:
		victims = float64(max(p.Random, p.Oldest, p.Newest, 1))
	}
	return times * victims * float64(max(w.Burst, 1))
}

// scheduled is how long the schedules ask for, the warmup before them included.
func (s *Scenario) scheduled() (longest time.Duration) {
	for _, n := range s.Chaos {
		longest = max(longest, n.When.lasts())
	}
	if s.Load != nil {
		longest += min(s.Load.Warmup.Std(), century)
	}
	return longest
}

const century = 100 * 365 * 24 * time.Hour

// lasts is how long the schedule takes, at most a century.
func (w When) lasts() time.Duration {
	d := float64(w.After) + float64(w.For)
	if w.For == 0 && w.Times > 0 {
		d += float64(w.Times) * float64(w.Every)
	}
	if n := len(w.Sequence); n > 0 {
		d += float64(w.Sequence[n-1])
	}
	return time.Duration(min(d, float64(century)))
}

// checkTimeout reports what cannot be over before the timeout, the default one too.
func (s *Scenario) checkTimeout(d *decoder) {
	timeout := Duration(s.timeout())
	if s.Settle > timeout {
		d.fail("settle", "settle (%v) is longer than the timeout of the whole run (%v)", s.Settle, timeout)
	}
	switch scheduled := s.scheduled(); {
	case scheduled <= timeout.Std():
	case s.Timeout > 0:
		d.fail("timeout", "timeout (%v) ends the run before its faults do (%v)", timeout, scheduled)
	default:
		d.fail(s.lastPath(), "the timeout (%v unless you set it) ends the run before its faults do (%v): set timeout",
			timeout, Duration(scheduled))
	}
	for group, list := range map[string][]Condition{"steady": s.Steady, "expect": s.Expect, "abort": s.Abort} {
		for i, c := range list {
			if r, err := c.rule(group); err == nil && r.For > timeout.Std() {
				d.fail(fmt.Sprintf("%s.%d", group, i), "for %v is longer than the timeout of the whole run (%v)",
					Duration(r.For), timeout)
			}
		}
	}
}

// lastPath is where the schedule that ends last is written.
func (s *Scenario) lastPath() string {
	last := 0
	for i, n := range s.Chaos {
		if n.When.lasts() > s.Chaos[last].When.lasts() {
			last = i
		}
	}
	return fmt.Sprintf("chaos.%d.when", last)
}

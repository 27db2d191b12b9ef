package scenarios

import "slices"

// taskArgs says which arguments each built-in task takes.
var taskArgs = map[string][]string{
	"sleep": {"duration"}, "square": {}, "hash": {"rounds"}, "primes": {"below"}, "echo": {"bytes"}, "alloc": {"bytes", "keep"},
}

func (s *Scenario) checkLoad(d *decoder) {
	l := s.Load
	if l == nil {
		return
	}
	takes, ok := taskArgs[l.Task]
	if _, there := d.at["load.task"]; !there {
		d.fail("load", "task is missing: want sleep, square, hash, primes, echo or alloc")
	}
	for _, arg := range chosen(l.Args) {
		if ok && !slices.Contains(takes, arg) {
			d.fail("load.args."+arg, "task %s takes no %s", l.Task, arg)
		}
	}
	for _, k := range []struct {
		key  string
		zero bool
	}{{"concurrency", l.Concurrency == 0}, {"rate", l.Rate == 0}, {"count", l.Count == 0}, {"map", l.Map == 0}} {
		if n, there := d.at["load."+k.key]; there && k.zero && !d.reported(n) {
			d.problem(n, "%s of 0 is no load: want at least 1, or leave the key out", k.key)
		}
	}
	if l.Concurrency > 0 && l.Rate > 0 {
		d.fail("load.rate", "concurrency (closed loop) and rate (open loop) contradict each other: want one")
	}
	if l.Map > 0 && (l.Rate > 0 || l.Count > 0) {
		d.fail("load.map", "map runs its own inputs: it goes with neither rate nor count")
	}
}

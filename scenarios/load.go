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
	if l.Concurrency > 0 && l.Rate > 0 {
		d.fail("load.rate", "concurrency (closed loop) and rate (open loop) contradict each other: want one")
	}
	if l.Map > 0 && (l.Concurrency > 0 || l.Rate > 0 || l.Count > 0) {
		d.fail("load.map", "map runs its own inputs: it goes with none of concurrency, rate and count")
	}
	if l.Warmup > 0 && (l.Map > 0 || l.Count > 0) {
		d.fail("load.warmup", "count and map begin with the chaos stage: they go without warmup")
	}
}

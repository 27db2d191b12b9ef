package scenarios

import (
	"slices"

	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

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
	if long := l.Args.Duration.Std(); long >= s.settle() && !s.endsTasks() {
		d.fail("load.args.duration", "tasks of %v do not end within settle (%v) and would count as without an outcome: want a longer settle",
			l.Args.Duration, Duration(s.settle()))
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

// endsTasks tells whether something is to end tasks before they are done.
func (s *Scenario) endsTasks() bool {
	if t, ok := s.Target.Settings.(kind.Timed); ok && t.TaskLimit() > 0 && t.TaskLimit() < s.settle() {
		return true
	}
	return slices.ContainsFunc(s.Chaos, func(n Nemesis) bool {
		return slices.ContainsFunc(n.Fault.names(), func(name string) bool { return name == "supervisor" || name == "terminate" })
	})
}

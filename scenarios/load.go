package scenarios

import (
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// taskArgs says which arguments each built-in task takes.
var taskArgs = map[string][]string{
	"sleep": {"duration"}, "square": {}, "hash": {"rounds"}, "primes": {"below"}, "echo": {"bytes"},
	"alloc": {"bytes", "keep"},
}

func (s *Scenario) checkLoad(d *decoder) {
	l := s.Load
	if l == nil {
		return
	}
	takes, ok := taskArgs[l.Task]
	s.checkCalls(d)
	for _, arg := range chosen(l.Args) {
		if ok && !slices.Contains(takes, arg) {
			d.fail("load.args."+arg, "task %s takes no %s", l.Task, arg)
		}
	}
	if long := l.Args.Duration.Std(); long >= s.settle() && !s.endsTasks() {
		d.fail("load.args.duration",
			"tasks of %v do not end within settle (%v) and would count as without an outcome: want a longer settle",
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

// call is the calls that the load is made of; none if it is built-in tasks, or there is no load.
func (l *Load) call() calls.Spec {
	if l == nil {
		return calls.Spec{}
	}
	return calls.Spec{HTTP: l.HTTP, TCP: l.TCP, Exec: l.Exec}
}

// maxAway bounds how often a load calls another machine.
const maxAway = 50

// checkCalls reports what is wrong with what the tasks of the load are.
func (s *Scenario) checkCalls(d *decoder) {
	l, call, can := s.Load, s.Load.call(), targets.Of(s.Target.Kind).Can
	_, named := d.at["load.task"]
	switch {
	case !named && call.Name() == "" && can.Calls:
		d.fail("load", "a %s target runs no tasks: want http, tcp or exec, or no load", s.Target.Kind)
	case !named && call.Name() == "":
		d.fail("load", "task is missing: want sleep, square, hash, primes, echo or alloc")
	case named && call.Name() != "":
		d.fail("load.task", "task and %s contradict each other: want one", call.Name())
	case call.Name() != "" && !can.Calls && s.Target.Kind != "":
		d.fail("load."+call.Name(), "a %s target runs tasks of the harness's: want task", s.Target.Kind)
	}
	call.Check(func(key, format string, args ...any) { d.fail(strings.TrimSuffix("load."+key, "."), format, args...) })
	if call.Name() != "" && call.Away() && (l.Rate == 0 || l.Rate > maxAway) {
		d.fail("load."+call.Name(), "the load goes to another machine: want a rate of at most %d/s", maxAway)
	}
}

// bySlot are the metrics for which answers must name their process, and those for which tasks must witness their
// executions.
var (
	bySlot = []string{"slots.answering", "slots.silent"}
	byTask = []string{
		"slots.apart", "slots.slow", "slots.answer.", "slots.throttled", "slots.throughput.", "tasks.executions.",
		"tasks.outside", "tasks.overlapping", "tasks.unwitnessed", "tasks.duplicated",
		"tasks.early", "results.misnamed", "blame.",
	}
)

// checkAnswerable refuses rules that nothing can answer on a target that is loaded by calls: they would hold for want
// of data.
func (s *Scenario) checkAnswerable(d *decoder) {
	if !targets.Of(s.Target.Kind).Can.Calls {
		return
	}
	begins := func(metric string) func(string) bool {
		return func(with string) bool { return strings.HasPrefix(metric, with) }
	}
	for group, list := range map[string][]Condition{"steady": s.Steady, "expect": s.Expect, "abort": s.Abort} {
		for i, c := range list {
			r, err := c.rule(group)
			path := group + "." + Count(i).String()
			switch {
			case err != nil || d.broken(path):
			case slices.ContainsFunc(byTask, begins(r.Metric)):
				d.fail(path, "%s needs tasks of the harness's, which a %s target does not run: leave it out",
					r.Metric, s.Target.Kind)
			case slices.ContainsFunc(bySlot, begins(r.Metric)) && !s.Load.call().Identifies():
				d.fail(path, "nobody tells which process answers, so that %s has no data: say where answers name it, "+
					"with load: {http: {answered_by: {header: X-Pid}}}, or leave it out", r.Metric)
			case strings.HasPrefix(r.Metric, "tasks.") && s.Load == nil:
				d.fail(path, "%s has no data without a load: say what is called, with load: {http: {url: …}}", r.Metric)
			}
		}
	}
}

// endsTasks tells whether something is to end tasks before they are done.
func (s *Scenario) endsTasks() bool {
	if t, ok := s.Target.Settings.(kind.Timed); ok && t.TaskLimit() > 0 && t.TaskLimit() < s.settle() {
		return true
	}
	return slices.ContainsFunc(s.Chaos, func(n Nemesis) bool {
		return n.Fault.some(func(t chaos.Traits) bool { return t.Abandons })
	})
}

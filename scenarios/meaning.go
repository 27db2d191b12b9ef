package scenarios

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
)

// How the target is looked at, by the engine's defaults: each lookEvery, and for steadyFor before the first fault.
const (
	lookEvery = 100 * time.Millisecond
	steadyFor = 500 * time.Millisecond
)

// said is a condition and where it stands.
type said struct {
	check.Rule
	path string
}

// conditions are the well-formed ones of a group.
func conditions(group string, list []Condition) (rules []said) {
	for i, c := range list {
		if r, err := c.rule(group); err == nil {
			rules = append(rules, said{r, group + "." + Count(i).String()})
		}
	}
	return rules
}

// checkMeaning refuses conditions that prove nothing in this scenario: those that always hold or never can, by what it
// is, that repeat or contradict another, or that are not looked at for as long as they ask for.
func (s *Scenario) checkMeaning(d *decoder, size int) {
	steady, expect, abort := conditions("steady", s.Steady), conditions("expect", s.Expect),
		conditions("abort", s.Abort)
	for _, list := range []*[]said{&steady, &expect, &abort} {
		*list = slices.DeleteFunc(*list, func(r said) bool {
			if r.For > 0 && r.For < lookEvery {
				d.fail(r.path, "for %v says nothing: the target is looked at every %v",
					Duration(r.For), Duration(lookEvery))
			}
			why := s.meaningless(r.Rule, size)
			if why != "" {
				d.fail(r.path, "%s", why)
			}
			return why != ""
		})
	}
	before := steadyFor
	if s.Load != nil {
		before += min(s.Load.Warmup.Std(), century)
	}
	for _, r := range steady {
		if r.For > before {
			d.fail(r.path,
				"this cannot hold for %v before the first fault: the target is looked at for %v, load.warmup and %v",
				Duration(r.For), Duration(before), Duration(steadyFor))
		}
	}
	checkTogether(d, steady)
	checkTogether(d, expect)
	checkRepeated(d, abort)
	for _, a := range abort {
		if admits, known := a.Admits(); known && spanOf(a.Metric, steady).Within(admits) {
			d.fail(a.path, "this holds whenever the target is steady: the run would end at once")
		}
	}
}

// meaningless says why a condition proves nothing in this scenario.
func (s *Scenario) meaningless(r check.Rule, size int) string {
	admits, known := r.Admits()
	if !known || len(r.Nonsense()) > 0 { // the last has been said
		return ""
	}
	can, strict, why := s.reach(r.Metric, r.Limit.Number, size)
	switch {
	case can.And(admits).Empty():
		return "this can never hold: " + why
	case strict && can.Within(admits) && !r.Allow:
		return "this always holds: " + why
	}
	return ""
}

// reach is the values that a metric can have in this scenario, and what bounds them; strict tells that it is never
// beyond whatever the target does. A time is compared with a limit that nothing in the run comes to.
func (s *Scenario) reach(metric string, limit float64, size int) (can check.Span, strict bool, why string) {
	m, _ := check.Lookup(metric)
	can = m.Span()
	bound := func(most float64, always bool, reason string) {
		if most < can.To {
			can.To, strict, why = most, always, reason
		}
	}
	if timeout := s.timeout(); m.Unit == check.Seconds && limit >= timeout.Seconds() {
		bound(timeout.Seconds(), true, fmt.Sprintf("the whole run takes at most its timeout (%v)", Duration(timeout)))
		can.Below = true
	}
	if l := s.Load; l != nil && l.Count+l.Map > 0 &&
		(metric == "tasks.submitted" || check.NeverAbove(metric, "tasks.submitted")) {
		bound(float64(l.Count+l.Map), true, fmt.Sprintf("the load has %d tasks", l.Count+l.Map))
	}
	if metric == "faults.planned" || check.NeverAbove(metric, "faults.planned") {
		most := 0.0
		for i := range s.Chaos {
			most += s.Chaos[i].most(max(size, s.Target.most()))
		}
		bound(most, true, fmt.Sprintf("the schedule makes at most %.0f injections", most))
	}
	largest := max(size, s.Target.most())
	if resized := slices.ContainsFunc(s.Chaos, func(n Nemesis) bool { return n.Fault.enlarges() }); size > 0 &&
		!resized {
		const members = "the target has %d members"
		switch metric {
		case "pool.ready", "pool.ready.min", "pool.size", "slots.together", "slots.slow":
			// a target that breaks what it promises may have more
			bound(float64(largest), false, fmt.Sprintf(members, largest))
		case "pool.want", "pool.missing", "slots.answering", "slots.silent", "slots.apart":
			bound(float64(size), true, fmt.Sprintf(members, size))
		}
	}
	return can, strict, why
}

// key is what a condition is about: a metric, or how it compares with another one. For the second of two it is turned
// around.
func (r said) key() (about, op string) {
	switch o := r.Limit.Metric; {
	case o == "":
		return r.Metric, r.Op
	case o < r.Metric:
		turned := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}
		if op, ok := turned[r.Op]; ok {
			return o + " and " + r.Metric, op
		}
		return o + " and " + r.Metric, r.Op
	default:
		return r.Metric + " and " + o, r.Op
	}
}

// admits is the values of what the condition is about for which it holds: of two metrics, of how much the first is
// more.
func (r said) admits() (check.Span, bool) {
	_, op := r.key()
	if r.Limit.Metric != "" {
		return check.Rule{Metric: r.Metric, Op: op}.Admits()
	}
	return r.Admits()
}

// span is the values that what the condition is about can have.
func (r said) span() check.Span {
	if r.Limit.Metric != "" {
		return check.Span{From: math.Inf(-1), To: math.Inf(1)}
	}
	return spanOf(r.Metric, nil)
}

// checkRepeated reports a condition that says what an earlier one says.
func checkRepeated(d *decoder, rules []said) {
	for i, r := range rules {
		for _, o := range rules[:i] {
			a, op := r.key()
			b, opBefore := o.key()
			same := r.String() == o.String() || a == b && op == opBefore && r.Limit == o.Limit && r.For == o.For
			if one, known := r.admits(); known && a == b && r.For == o.For {
				two, knownToo := o.admits()
				can := r.span()
				same = same || knownToo && can.And(one).Within(two) && can.And(two).Within(one)
			}
			if same {
				d.fail(r.path, "this says what %s says", o.path)
				break
			}
		}
	}
}

// checkTogether reports also a condition that cannot hold beside the earlier ones, as far as that can be told without a
// host.
func checkTogether(d *decoder, rules []said) {
	checkRepeated(d, rules)
	spans := map[string]check.Span{}
	for i, r := range rules {
		admits, known := r.admits()
		if !known {
			continue
		}
		about, _ := r.key()
		was, ok := spans[about]
		if !ok {
			was = r.span()
		}
		now := was.And(admits)
		beside := ""
		if now.Empty() && !was.Empty() {
			beside = about
		}
		for _, o := range rules[:i] { // what is never larger, and must be
			if r.Limit.Metric != "" || o.Limit.Metric != "" || beside != "" {
				continue
			}
			other := spans[o.Metric]
			if check.NeverAbove(r.Metric, o.Metric) &&
				now.And(check.Span{From: math.Inf(-1), To: other.To, Below: other.Below}).Empty() ||
				check.NeverAbove(o.Metric, r.Metric) &&
					now.And(check.Span{From: other.From, Above: other.Above, To: math.Inf(1)}).Empty() {
				beside = o.Metric
			}
		}
		if beside != "" {
			d.fail(r.path, "this cannot hold beside what stands above it on %s", beside)
			continue
		}
		spans[about] = now
	}
}

// spanOf is the values of the metric for which all of the conditions hold that are about it alone.
func spanOf(metric string, rules []said) check.Span {
	m, _ := check.Lookup(metric)
	s := m.Span()
	for _, r := range rules {
		if admits, known := r.Admits(); known && r.Metric == metric && r.Limit.Metric == "" {
			s = s.And(admits)
		}
	}
	return s
}

package check

import (
	"math"
	"strings"
)

// Span is the values from one to another that a metric can have, or that a condition lets it have.
type Span struct {
	From, To float64
	// Above and Below tell that From and To themselves are not among them.
	Above, Below bool
	// Whole tells that only whole numbers are.
	Whole bool
	// Not is values within that are not.
	Not []float64
}

// closed moves ends that are not among the whole numbers of the span to those that are.
func (s Span) closed() Span {
	if !s.Whole {
		return s
	}
	if !math.IsInf(s.From, 0) && (s.Above || s.From != math.Ceil(s.From)) {
		s.From, s.Above = math.Floor(s.From)+1, false
	}
	if !math.IsInf(s.To, 0) && (s.Below || s.To != math.Floor(s.To)) {
		s.To, s.Below = math.Ceil(s.To)-1, false
	}
	for moved := true; moved && s.From <= s.To; {
		moved = false
		for _, hole := range s.Not {
			if s.From == hole {
				s.From, moved = s.From+1, true
			}
			if s.To == hole {
				s.To, moved = s.To-1, true
			}
		}
	}
	return s
}

// Empty tells whether there are no such values.
func (s Span) Empty() bool {
	s = s.closed()
	if s.From != s.To {
		return s.From > s.To
	}
	for _, hole := range s.Not {
		if hole == s.From {
			return true
		}
	}
	return s.Above || s.Below
}

// And is the values that are in both.
func (s Span) And(o Span) Span {
	switch {
	case o.From > s.From:
		s.From, s.Above = o.From, o.Above
	case o.From == s.From:
		s.Above = s.Above || o.Above
	}
	switch {
	case o.To < s.To:
		s.To, s.Below = o.To, o.Below
	case o.To == s.To:
		s.Below = s.Below || o.Below
	}
	s.Whole = s.Whole || o.Whole
	s.Not = append(s.Not[:len(s.Not):len(s.Not)], o.Not...)
	return s
}

// Within tells whether every value of the span is one of the other: there is none that the other leaves out.
func (s Span) Within(o Span) bool {
	for _, hole := range o.Not {
		if !s.And(Span{From: hole, To: hole}).Empty() {
			return false
		}
	}
	under := s.And(Span{From: math.Inf(-1), To: o.From, Below: !o.Above})
	over := s.And(Span{From: o.To, To: math.Inf(1), Above: !o.Below})
	return under.Empty() && over.Empty()
}

// all is every number.
var all = Span{From: math.Inf(-1), To: math.Inf(1)}

// admits is the values on the left of a comparison for which it holds.
func admits(op string, limit float64) Span {
	s := all
	switch op {
	case "==":
		s.From, s.To = limit, limit
	case "!=":
		s.Not = []float64{limit}
	case "<", "<=":
		s.To, s.Below = limit, op == "<"
	case ">", ">=":
		s.From, s.Above = limit, op == ">"
	}
	return s
}

// Span is the values that the metric can have in any run.
func (m Metric) Span() Span {
	s := Span{From: m.Least, To: math.Inf(1), Whole: m.Unit == Count && !m.fractional()}
	if m.Signed {
		s.From = math.Inf(-1)
	}
	s.Above = m.Takes
	if m.Most > 0 {
		s.To = m.Most
	}
	return s
}

// Admits is the values of its metric for which the rule holds, if its limit is known without a host: a number, or
// nothing times whatever a floor is.
func (r Rule) Admits() (s Span, known bool) {
	if r.Limit.Metric != "" || r.Limit.Number != 0 && (r.Limit.Floor != "" || r.Limit.PerCore) {
		return all, false
	}
	return admits(r.Op, r.Limit.Number), true
}

// NeverAbove tells whether a metric is never larger than another, in any run: tasks.ok than tasks.submitted.
func NeverAbove(metric, other string) bool {
	for _, larger := range atMost[metric] {
		if larger == other || NeverAbove(larger, other) {
			return true
		}
	}
	return false
}

// Nonsense says why a condition proves nothing whatever happens: it can never hold, or always does. That it always does
// is fine where the rule says what is allowed.
func (r Rule) Nonsense() string {
	m, _ := Lookup(r.Metric)
	never, always, why := false, false, ""
	if o := r.Limit.Metric; o != "" {
		switch {
		case NeverAbove(r.Metric, o):
			never, always, why = r.Op == ">", r.Op == "<=", r.Metric+" is never above "+o
		case NeverAbove(o, r.Metric):
			never, always, why = r.Op == "<", r.Op == ">=", o+" is never above "+r.Metric
		}
	} else if admits, known := r.Admits(); known {
		can := m.Span()
		never, always, why = can.And(admits).Empty(), can.Within(admits), m.bound(r.Op, r.Limit.Number)
	}
	switch {
	case never:
		return "this can never hold: " + why
	case always && !r.Allow:
		return "this always holds: " + why
	}
	return ""
}

// bound is the end of the metric's span that a limit is at, or beyond.
func (m Metric) bound(op string, limit float64) string {
	switch can := m.Span(); {
	case limit > can.From:
		return m.Name + " is never above " + m.Unit.Format(can.To)
	case limit == can.From && can.Above && bounds(op) && op != "<":
		return m.Name + " takes time"
	default:
		return m.Name + " is never below " + strings.TrimRight(m.Unit.Format(can.From), "sB/%")
	}
}

package check

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/units"
)

// Rule is one condition of a scenario: what steady, expect, abort and require have in common.
//
//	rule  = [ "allow" ] metric op limit [ "for" duration ]
//	op    = "==" | "!=" | "<" | "<=" | ">" | ">="
//	limit = value | value "/core" | factor "x floor." name | metric
//
// A value is written with the unit of its metric: a time (250ms, 1m30s), a size (64MiB), a rate (50/s), a ratio (80%);
// counts have none. "for" says that the condition has held so long without a break. With "/core", a time is divided by
// the host's cores and anything else multiplied with them: 10s/core is 5s on two cores, 50/s/core is 100/s.
//
// "allow" says that less is asked for than every scenario requires of the metric, see [Promises]: allow tasks.failed <=
// 16, and whatever has "for". What can never hold is refused, and what always does but for "allow".
type Rule struct {
	Allow  bool
	Metric string
	Op     string
	Limit  Limit
	For    time.Duration // 0: at one moment
}

// Limit is the right side of a rule. Exactly one of three forms: a number, a multiple of a floor, another metric.
type Limit struct {
	Number  float64 // in the metric's base unit; with Floor, the factor
	PerCore bool
	Floor   string // without "floor."
	Metric  string
}

// String is the rule in its one canonical form: parsing it gives the same rule again.
func (r Rule) String() string {
	s := r.Metric + " " + r.Op + " " + r.Limit.text(r.Metric)
	if r.Allow {
		s = "allow " + s
	}
	if r.For > 0 {
		s += " for " + units.Duration(r.For).String()
	}
	return s
}

func (l Limit) text(metric string) string {
	switch {
	case l.Metric != "":
		return l.Metric
	case l.Floor != "":
		return formatNumber(l.Number) + "x floor." + l.Floor
	}
	m, _ := Lookup(metric)
	s := m.Unit.Format(l.Number)
	if l.PerCore {
		s += "/core"
	}
	return s
}

// Resolve makes the limit a number for this host: floors are in seconds by name, cores is how many CPUs there are. It
// fails if the rule needs a floor that is not among them. The caller adds the group.
func (r Rule) Resolve(floors map[string]float64, cores int) (history.Rule, error) {
	h := history.Rule{
		Text: r.String(), Metric: r.Metric, Op: r.Op, Limit: r.Limit.Number, Than: r.Limit.Metric, For: r.For,
	}
	if r.Limit.Floor != "" {
		floor, ok := floors[r.Limit.Floor]
		if !ok || floor <= 0 {
			return h, fmt.Errorf("%s: floor.%s is not known for this run: give the limit as a time", r, r.Limit.Floor)
		}
		h.Limit *= floor
	}
	if r.Limit.PerCore {
		if cores < 1 {
			return h, fmt.Errorf("%s: the number of cores is not known: give the limit without /core", r)
		}
		if m, _ := Lookup(r.Metric); m.Unit == Seconds {
			h.Limit /= float64(cores)
		} else {
			h.Limit *= float64(cores)
		}
	}
	return h, nil
}

// Fits tells whether the rule can stand in that group: steady and abort may only ask for what is known while the run
// goes on, and expect may ask for less than every scenario requires only if it says so.
func (r Rule) Fits(group string) error {
	if err := r.fitsPromise(group); err != nil {
		return err
	}
	if group != "steady" && group != "abort" {
		return nil
	}
	for _, name := range []string{r.Metric, r.Limit.Metric} {
		if m, ok := Lookup(name); ok && !m.Live {
			return &RuleError{
				Column: 1, Problem: name + " is known only at the end of the run: put the condition under expect",
			}
		}
	}
	return nil
}

// fitsPromise tells whether the rule weakens a promise if and only if it says so. A promise is that the metric is 0 in
// the whole run: what admits anything else asks for less, and so does what is looked at in the last moments alone.
func (r Rule) fitsPromise(group string) error {
	promised := slices.Contains(Promises(), r.Metric)
	admits, known := r.Admits()
	same := known && !admits.Empty() && r.span().And(admits).Within(Span{}) && r.For == 0
	weaker := promised && !same
	text := strings.TrimPrefix(r.String(), "allow ")
	switch {
	case r.Allow && group != "expect":
		return &RuleError{Column: 1, Problem: "allow stands only under expect"}
	case r.Allow && !promised:
		return &RuleError{Column: 1, Problem: fmt.Sprintf(
			"allow is for what every scenario requires to be 0, and %s is not: write %s", r.Metric, text)}
	case r.Allow && !weaker:
		return &RuleError{
			Column: 1, Problem: fmt.Sprintf("%s allows nothing that is not required anyway: leave allow out", text),
		}
	case group == "expect" && weaker && !r.Allow:
		return &RuleError{Column: 1, Problem: fmt.Sprintf(
			"every scenario requires %s == 0, and this asks for less: write allow %s", r.Metric, text)}
	}
	return nil
}

func (r Rule) span() Span { m, _ := Lookup(r.Metric); return m.Span() }

// compare is the comparison of the grammar. NaN is in no relation to anything.
func compare(a float64, op string, b float64) bool {
	switch op {
	case "==":
		return a == b
	case "!=":
		return a != b && !math.IsNaN(a) && !math.IsNaN(b)
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	case ">=":
		return a >= b
	}
	return false
}

// Format writes a value of this unit as a rule would have it: 250ms, 64MiB, 50/s, 80%, 8. Infinity is "never" for a
// time.
func (u Unit) Format(v float64) string {
	switch {
	case math.IsInf(v, 1) && u == Seconds:
		return "never"
	case math.IsInf(v, 0) || math.IsNaN(v):
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	switch u {
	case Seconds:
		return units.Duration(math.Round(v * 1e9)).String()
	case Bytes:
		return formatBytes(v)
	case PerSecond:
		return formatNumber(v) + "/s"
	case Ratio:
		return strconv.FormatFloat(v*100, 'g', 12, 64) + "%"
	}
	return formatNumber(v)
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func formatBytes(v float64) string {
	for _, u := range byteUnits {
		if n := v / u.size; v != 0 && n == math.Trunc(n) {
			return formatNumber(n) + u.name
		}
	}
	return formatNumber(v) + "B"
}

var byteUnits = []struct {
	name string
	size float64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

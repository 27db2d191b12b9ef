package scenarios

import (
	"errors"
	"math"
	"regexp"

	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/chaos/check"
)

// Condition is a line of the condition grammar: metric, comparison, value with unit, optionally "for" a duration. See
// check.Rule.
type Condition string

// rule reads the condition as one of that group.
func (c Condition) rule(group string) (check.Rule, error) {
	r, err := check.ParseRule(string(c))
	if err == nil {
		err = r.Fits(group)
	}
	return r, err
}

// checkConditions reports what is wrong with a list of conditions, each at its place within the line.
func (d *decoder) checkConditions(group string, list []Condition) {
	for i, c := range list {
		_, err := c.rule(group)
		path := group + "." + Count(i).String()
		if err == nil || d.broken(path) {
			continue
		}
		var bad *check.RuleError
		if n := d.at[path]; n != nil && errors.As(err, &bad) {
			at := *n
			at.Column += bad.Column - 1
			if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
				at.Column++
			}
			if source, ok := d.source[n]; ok {
				d.source[&at] = source
			}
			d.problem(&at, "%s", bad.Problem)
			continue
		}
		d.fail(path, "%v", err)
	}
}

// checkTogether reports a condition that cannot hold beside an earlier one on the same metric, as far as that can be told
// without a host.
func (d *decoder) checkTogether(group string, list []Condition) {
	type span struct{ from, to float64 }
	spans := map[string]span{}
	for i, c := range list {
		r, err := c.rule(group)
		if err != nil || r.Limit.Metric != "" || r.Limit.Floor != "" || r.Limit.PerCore {
			continue
		}
		was, ok := spans[r.Metric]
		if !ok {
			was = span{math.Inf(-1), math.Inf(1)}
		}
		now := was
		switch r.Op {
		case "==":
			now.from, now.to = max(was.from, r.Limit.Number), min(was.to, r.Limit.Number)
		case ">", ">=":
			now.from = max(was.from, r.Limit.Number)
		case "<", "<=":
			now.to = min(was.to, r.Limit.Number)
		}
		if now.from > now.to {
			d.fail(group+"."+Count(i).String(), "this cannot hold beside what stands above it on %s", r.Metric)
			continue
		}
		spans[r.Metric] = now
	}
}

// metricNames is the metrics as a pattern's alternatives.
func metricNames() []string {
	names := check.Names()
	for i, n := range names {
		names[i] = regexp.QuoteMeta(n)
	}
	return names
}

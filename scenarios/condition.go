package scenarios

import (
	"errors"

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

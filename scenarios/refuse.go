package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/scenarios/targets"
)

// ofExecutions are the beginnings of metrics that nothing but the executions tells.
var ofExecutions = []string{"tasks.executions.", "tasks.requeue.", "slots.together.between"}

// refuse names what the scenario asks of a driver that cannot tell it: a run would wait for a victim that is never
// found, or expect a number that nobody counts.
func (s *Scenario) refuse(t history.Target) error {
	row := targets.Of(t.Kind)
	if row.Name == "" || row.Can.All || slices.Contains(t.Can, "witness") {
		return nil
	}
	see := ""
	if row.Page != "" {
		see = ", see " + row.Page
	}
	var found Problems
	lacks := func(path, format string, args ...any) {
		err := fmt.Errorf(format+", which the %s of %s does not tell (can: witness%s)",
			append(args, t.Kind, t.Name, see)...)
		found = append(found, s.problemAt(path, err))
	}
	for i, n := range s.Chaos {
		path := fmt.Sprintf("chaos.%d.pick", i)
		switch {
		case n.Pick.State == "idle", n.Pick.State == "busy":
			lacks(path+".state", "it picks %s workers", n.Pick.State)
		case n.Pick.Phase != "":
			lacks(path+".phase", "it picks workers in the phase %s", n.Pick.Phase)
		}
	}
	for group, list := range map[string][]Condition{"steady": s.Steady, "expect": s.Expect, "abort": s.Abort} {
		for i, c := range list {
			if r, err := c.rule(group); err == nil &&
				slices.ContainsFunc(ofExecutions, func(of string) bool { return strings.HasPrefix(r.Metric, of) }) {
				lacks(fmt.Sprintf("%s.%d", group, i), "%s needs to know of executions", r.Metric)
			}
		}
	}
	return found.err()
}

package scenarios

import (
	"fmt"
	"math"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
)

// checkSamples refuses a percentile for which there can never be enough samples: the run would take its time and prove
// nothing.
func (s *Scenario) checkSamples(d *decoder, size int) {
	for group, list := range map[string][]Condition{"steady": s.Steady, "expect": s.Expect} {
		for i, c := range list {
			r, err := c.rule(group)
			if err != nil {
				continue
			}
			for _, name := range []string{r.Metric, r.Limit.Metric} {
				m, _ := check.Lookup(name)
				most, why := s.mostSamples(name, size)
				if float64(m.Needs) > most {
					d.fail(fmt.Sprintf("%s.%d", group, i), "%s needs %d samples: %s%s", name, m.Needs, why, d.form)
				}
			}
		}
	}
}

// mostSamples is the largest number of samples that a metric can have, generously, and what bounds it.
func (s *Scenario) mostSamples(metric string, size int) (most float64, why string) {
	family, _, _ := strings.Cut(metric, ".")
	switch {
	case strings.HasPrefix(metric, "tasks.latency."):
		switch l := s.Load; {
		case l == nil:
			return 0, "the scenario has no load"
		case l.Count > 0:
			return float64(l.Count), fmt.Sprintf("the load has %d tasks", l.Count)
		case l.Map > 0:
			return float64(l.Map), fmt.Sprintf("the load has %d tasks", l.Map)
		}
	case family == "faults", strings.HasPrefix(metric, "slot.recovery."), strings.HasPrefix(metric, "pool.recovery."):
		for i := range s.Chaos {
			if !s.Chaos[i].Fault.ofOne() {
				return math.Inf(1), ""
			}
			most += s.Chaos[i].most(max(size, s.Target.most()))
		}
		return most, fmt.Sprintf("the schedule makes at most %.0f injections", most)
	}
	return math.Inf(1), ""
}

package scenarios

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/floor"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// floorRuns is how often each floor is measured for a run; the median counts. On a busy machine of two cores the median
// of 5 was up to 3.4 times what it is, that of 21 up to 1.3 times: of the two figures that the gate compares the floor
// was the noisy one. It takes a tenth of a second.
const floorRuns = 21

// measureFloors measures what a limit may be a multiple of, in seconds by name. Where it cannot be measured there are
// none, and a rule that needs one says so.
func measureFloors(ctx context.Context) (map[string]float64, error) {
	floors := map[string]float64{}
	for name, measure := range map[string]func(context.Context, int, time.Duration) ([]time.Duration, error){
		"spawn": floor.Spawn, "reap": floor.Reap, "respawn": floor.Respawn,
	} {
		if took, err := measure(ctx, floorRuns, 0); err == nil {
			floors[name] = median(took).Seconds()
		} else if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return floors, nil
}

// spawnFloor measures one floor again, for how the host changed during the run.
func spawnFloor(ctx context.Context) map[string]float64 {
	took, err := floor.Spawn(ctx, floorRuns, 0)
	if err != nil {
		return nil
	}
	return map[string]float64{"spawn": median(took).Seconds()}
}

func median(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

// resolve turns the scenario's conditions into rules with numbers, for this host and this target.
func (s *Scenario) resolve(run *chaos.Run) error {
	floors := run.Header.Floors
	if ideal := s.Load.ideal(
		run.Target.Want() - run.Target.Describe().Brokers - run.Target.Describe().Owners); ideal > 0 {
		floors["ideal"] = ideal.Seconds()
	}
	if t, ok := run.Target.(chaos.Stallable); ok && t.Heartbeat() > 0 {
		floors["heartbeat"] = t.Heartbeat().Seconds()
	}
	if t, ok := s.Target.Settings.(kind.Stopper); ok {
		floors["grace"] = t.Grace().Seconds()
	}
	var problems Problems
	for _, group := range []struct {
		name string
		list []Condition
	}{{"steady", s.Steady}, {"expect", s.Expect}, {"abort", s.Abort}} {
		for i, c := range group.list {
			rule, err := c.rule(group.name)
			if err != nil {
				return err // parsed before
			}
			h, err := rule.Resolve(floors, runtime.NumCPU())
			if err != nil {
				problems = append(problems, s.problemAt(fmt.Sprintf("%s.%d", group.name, i), err))
				continue
			}
			h.Group = group.name
			run.Header.Rules = append(run.Header.Rules, h)
		}
	}
	return problems.err()
}

// problemAt is a mistake at what a path of the file names.
func (s *Scenario) problemAt(path string, err error) Problem {
	p := Problem{File: s.file, Text: err.Error()}
	if n := s.at[path]; n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

package scenarios

import (
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// ReadReplay reads a run out of its history: the scenario as it was run, and its resolved trace for RunOptions.Shots, so that
// the same faults strike the same ranks at the same times again. seed is the run's. The text in the history is what was run:
// opts is for NoExec. A record that was cut short, or has no faults, is an error.
func ReadReplay(path string, opts Options) (s *Scenario, shots []chaos.Shot, seed uint64, err error) {
	in, err := history.Open(path)
	if err != nil {
		return nil, nil, 0, err
	}
	defer in.Close()
	if in.Header.Source == "" {
		return nil, nil, 0, fmt.Errorf("%s was not made from a scenario file: there is nothing to run again", path)
	}
	if s, err = Parse(path+" (its scenario)", []byte(in.Header.Source), opts); err != nil {
		return nil, nil, 0, err
	}
	list, err := s.engine()
	if err != nil {
		return nil, nil, 0, err
	}
	var trace []history.Event
	for e, err := range in.Events() {
		if err != nil {
			return nil, nil, 0, fmt.Errorf("%s: %w", path, err)
		}
		if e.Stage != nil || e.Fault != nil {
			trace = append(trace, e)
		}
	}
	if in.Truncated() {
		return nil, nil, 0, fmt.Errorf("%s: line %d: %w: its run did not come to an end, nor may its trace", path, in.Line(), history.ErrCutShort)
	}
	if shots, err = chaos.Trace(trace, list); err != nil {
		return nil, nil, 0, err
	}
	if len(shots) == 0 {
		return nil, nil, 0, fmt.Errorf("%s has no planned fault: there is nothing to inject again", path)
	}
	return s, shots, in.Header.Seed, nil
}

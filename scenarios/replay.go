package scenarios

import (
	"cmp"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Replay is a run as its history has it: with its Seed and Shots as RunOptions, the same faults strike the same ranks
// at the same times again.
type Replay struct {
	Scenario *Scenario
	Seed     uint64
	Shots    []chaos.Shot
	Left     int // injections that found no victim: they are not among the shots
}

// ReadReplay reads a run out of its history. The text in the history is what was run: opts is for NoExec and OwnTarget.
// A record that was cut short, that has no faults, or of a run whose target only its caller can make, is an error.
func ReadReplay(path string, opts Options) (*Replay, error) {
	in, err := history.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	switch h := in.Header; {
	case h.Source == "":
		return nil, fmt.Errorf("%s was not made from a scenario file: there is nothing to run again", path)
	case h.OwnTarget && !opts.OwnTarget:
		return nil, fmt.Errorf("%s is of a target that a test made, not its scenario; that test injects its faults "+
			"again with: RESPAWN_REPLAY=%s %s",
			path, Quoted(path), cmp.Or(h.Command, "go test"))
	}
	r := &Replay{Seed: in.Header.Seed}
	if r.Scenario, err = Parse(path+" (its scenario)", []byte(in.Header.Source), opts); err != nil {
		return nil, err
	}
	var trace []history.Event
	for e, err := range in.Events() {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if e.Stage != nil || e.Fault != nil {
			trace = append(trace, e)
		}
	}
	if in.Truncated() {
		return nil, fmt.Errorf("%s: line %d: %w: its run did not come to an end, nor may its trace",
			path, in.Line(), history.ErrCutShort)
	}
	if r.Shots, r.Left, err = chaos.Trace(trace, r.Scenario.engine()); err != nil {
		return nil, err
	}
	switch {
	case len(r.Shots) == 0 && r.Left > 0:
		return nil, fmt.Errorf("%s has no planned fault that found a victim: there is nothing to inject again", path)
	case len(r.Shots) == 0:
		return nil, fmt.Errorf("%s has no planned fault: there is nothing to inject again", path)
	}
	return r, nil
}

package scenarios

import (
	"cmp"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
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
	l := ledger.New(in.Header)
	l.Forget = true
	for e, err := range in.Events() {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		l.Add(in.Line(), &e)
	}
	if in.Truncated() {
		return nil, fmt.Errorf("%s: line %d: %w: its run did not come to an end, nor may its trace",
			path, in.Line(), history.ErrCutShort)
	}
	return ReplayOf(path, l, opts)
}

// ReplayOf is ReadReplay of a whole history, at path, that was read into a ledger.
func ReplayOf(path string, l *ledger.Ledger, opts Options) (*Replay, error) {
	switch h := l.Header; {
	case h.Source == "":
		return nil, fmt.Errorf("%s was not made from a scenario file: there is nothing to run again", path)
	case h.OwnTarget && !opts.OwnTarget:
		return nil, fmt.Errorf("%s is of a target that a test made, not its scenario; that test injects its faults "+
			"again with: RESPAWN_REPLAY=%s %s",
			path, Quoted(path), cmp.Or(h.Command, "go test"))
	}
	s, err := Parse(path+" (its scenario)", []byte(l.Header.Source), opts)
	if err != nil {
		return nil, err
	}
	shots, left, err := chaos.Trace(l, s.engine())
	switch {
	case err != nil:
		return nil, err
	case len(shots) == 0 && left > 0:
		return nil, fmt.Errorf("%s has no planned fault that found a victim: there is nothing to inject again", path)
	case len(shots) == 0:
		return nil, fmt.Errorf("%s has no planned fault: there is nothing to inject again", path)
	}
	return &Replay{Scenario: s, Seed: l.Header.Seed, Shots: shots, Left: left}, nil
}

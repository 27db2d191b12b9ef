// Package processes is what targets have in common whose members are found among the processes of the host by a rule,
// and whose load is calls: they run no tasks of the harness's, and tell nothing of themselves.
package processes

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
)

// Target is processes of somebody else's as a target, for another one to embed. Watch makes it. Safe for concurrent
// use.
type Target struct {
	*outside.Pool
	load calls.Call // nil: the target is idle
	asks calls.Call // shows that the target as a whole answers; nil: nothing does
	says bool       // answers to the load name their process
}

var (
	_ chaos.Target = (*Target)(nil)
	_ chaos.Runner = (*Target)(nil)
)

// Watch begins to watch processes that are there: those first are the members. f may be nil; else it is closed with the
// target. load and ready may be empty: what shows that the target answers is ready, or if there is none the load.
func Watch(what history.Target, p outside.Lister, first []int, f *forks.Follower, load, ready calls.Spec) *Target {
	t := &Target{load: load.Call(), asks: ready.Call(), says: load.Identifies()}
	if t.asks == nil {
		t.asks = t.load
	}
	switch {
	case t.says:
	case t.asks != nil:
		what.Proof = "call"
	default:
		what.Proof = "presence"
	}
	t.Pool = outside.Watch(what, p, first, f, "", t.sendProbe)
	return t
}

// Do implements chaos.Runner: it makes one call.
func (t *Target) Do(ctx context.Context, _ chaos.Task) chaos.Settled {
	if t.load == nil {
		return chaos.Settled{Outcome: history.Rejected, Err: "the scenario has no calls for this target"}
	}
	defer t.Loaded()()
	s := t.load.Do(ctx)
	if s.Outcome == history.OK && s.PID != 0 {
		t.Answered(s.PID)
	}
	return s
}

// probeLate is when a call that is to show that the target answers counts as lost, and another is made.
const probeLate = time.Second

// sendProbe makes a call that shows who answers.
func (t *Target) sendProbe(ctx context.Context) (pid int, err error) {
	id := t.NextProbe()
	s := t.load.Do(ctx)
	if s.Outcome != history.OK {
		return 0, fmt.Errorf("%s: %s", s.Outcome, s.Err)
	}
	t.ProbeAnswered(id, s.PID)
	return s.PID, nil
}

// Probe implements chaos.Target. Where answers name their process it is one of the slot's process. Else a process must
// be in the slot, and if the scenario says how to ask, the target must have answered since it was, and it must be there
// still.
func (t *Target) Probe(ctx context.Context, slot int) (pid int, err error) {
	if t.says {
		return t.Pool.Probe(ctx, slot)
	}
	err = fmt.Errorf("there is no process in slot %d", slot)
	for {
		if pid = t.Occupant(slot); pid != 0 {
			if t.asks == nil {
				return pid, nil
			}
			one, cancel := context.WithTimeout(ctx, probeLate)
			s := t.asks.Do(one)
			cancel()
			switch {
			case t.Occupant(slot) != pid:
				err = fmt.Errorf("process %d is in slot %d no more", pid, slot)
			case s.Outcome != history.OK && ctx.Err() != nil: // what it said before says more
			case s.Outcome != history.OK:
				err = fmt.Errorf("the target does not answer: %s: %s", s.Outcome, s.Err)
			default:
				return pid, nil
			}
		}
		if ended := wait.For(ctx, 10*time.Millisecond); ended != nil {
			return 0, fmt.Errorf("%w: %w", err, ended)
		}
	}
}

// Up waits until as many members are there as there are to be, and the target answers, if the scenario says how to ask.
// gone tells why it never will.
func Up(ctx context.Context, size units.Range, list func(context.Context) ([]int, error), ready calls.Call,
	gone func() error,
) ([]int, error) {
	for {
		pids, err := list(ctx)
		if err == nil && size.Has(len(pids)) {
			if ready == nil {
				return pids, nil
			}
			one, cancel := context.WithTimeout(ctx, probeLate)
			s := ready.Do(one)
			cancel()
			if s.Outcome == history.OK {
				return pids, nil
			}
			err = fmt.Errorf("%s: %s", s.Outcome, s.Err)
		}
		if over := gone(); over != nil {
			return nil, over
		}
		if ended := wait.For(ctx, 10*time.Millisecond); ended != nil {
			if err == nil {
				err = fmt.Errorf("%d of %s members are there", len(pids), size)
			}
			return nil, fmt.Errorf("it was not up in time: %w", err)
		}
	}
}

// Unwitnessed implements chaos.Unwitnessed: it runs none of the built-in tasks.
func (t *Target) Unwitnessed() bool { return false }

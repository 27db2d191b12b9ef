package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Trace reads the resolved plan out of a history's events, for Run.Shots: the same times, faults and victims again.
// chaos is the run's list of nemeses, by which the faults are found. Of a run in which nothing was planned it is empty,
// not nil: it is no plan of the seed's. left counts the injections that found no victim, which are left out.
func Trace(events []history.Event, chaos []Nemesis) (shots []Shot, left int, err error) {
	shots = []Shot{}
	var began time.Duration
	for _, e := range events {
		if e.Stage != nil && e.Stage.Name == history.Chaos {
			began = e.T
		}
		f := e.Fault
		if f == nil || f.Op != history.Planned {
			continue
		}
		if f.Nemesis < 0 || f.Nemesis >= len(chaos) {
			return nil, 0, fmt.Errorf("injection %d is of nemesis %d, and there are %d", f.N, f.Nemesis, len(chaos))
		}
		fault := faultNamed(chaos[f.Nemesis].Fault, f.Fault)
		if fault == nil {
			return nil, 0, fmt.Errorf("injection %d is %q, which nemesis %d does not do", f.N, f.Fault, f.Nemesis)
		}
		if f.Victim == nil && !fault.Traits().Whole {
			left++ // replayed, it might find one
			continue
		}
		s := Shot{Nemesis: f.Nemesis, Turn: len(shots), At: f.Due - began, Fault: fault, Draw: uint64(f.N)}
		same := slices.IndexFunc(shots, func(o Shot) bool {
			return o.Nemesis == s.Nemesis && o.At == s.At && o.Fault.String() == f.Fault
		})
		switch {
		case f.Victim != nil && same >= 0:
			shots[same].Aims = append(shots[same].Aims, Aim{f.Victim.Slot, f.Victim.Rank})
			continue
		case f.Victim != nil:
			s.Aims = []Aim{{f.Victim.Slot, f.Victim.Rank}}
		}
		shots = append(shots, s)
	}
	return shots, left, nil
}

// faultNamed finds the fault with that one-line form, in a mix too.
func faultNamed(f Fault, name string) Fault {
	if mix, ok := f.(Mixed); ok {
		for _, w := range mix {
			if found := faultNamed(w.Fault, name); found != nil {
				return found
			}
		}
	}
	if f.String() == name {
		return f
	}
	return nil
}

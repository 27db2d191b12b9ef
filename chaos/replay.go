package chaos

import (
	"fmt"
	"slices"

	"github.com/respawn-go/respawn/chaos/ledger"
)

// Trace is the resolved plan of a run that was read into a ledger, for Run.Shots: the same times, faults and victims
// again. chaos is the run's list of nemeses, by which the faults are found. Of a run in which nothing was planned it is
// empty, not nil: it is no plan of the seed's. left counts the injections that found no victim, which are left out.
func Trace(l *ledger.Ledger, chaos []Nemesis) (shots []Shot, left int, err error) {
	shots = []Shot{}
	for _, i := range l.Injections.List {
		if !i.Planned {
			continue
		}
		if i.Nemesis < 0 || i.Nemesis >= len(chaos) {
			return nil, 0, fmt.Errorf("injection %d is of nemesis %d, and there are %d", i.N, i.Nemesis, len(chaos))
		}
		fault := faultNamed(chaos[i.Nemesis].Fault, i.Text)
		if fault == nil {
			return nil, 0, fmt.Errorf("injection %d is %q, which nemesis %d does not do", i.N, i.Text, i.Nemesis)
		}
		if i.Victim == nil && !fault.Traits().Whole {
			left++ // replayed, it might find one
			continue
		}
		at := i.Due - l.Began[ledger.Chaos]
		s := Shot{Nemesis: i.Nemesis, Turn: len(shots), At: at, Fault: fault, Draw: uint64(i.N)}
		same := slices.IndexFunc(shots, func(o Shot) bool {
			return o.Nemesis == s.Nemesis && o.At == s.At && o.Fault.String() == i.Text
		})
		switch {
		case i.Victim != nil && same >= 0:
			shots[same].Aims = append(shots[same].Aims, Aim{i.Victim.Slot, i.Victim.Rank})
			continue
		case i.Victim != nil:
			s.Aims = []Aim{{i.Victim.Slot, i.Victim.Rank}}
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

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Nemesis is one entry of a run's list of faults. The entries run side by side, each on its schedule.
type Nemesis struct {
	Fault   Fault
	Pick    Pick
	When    When
	Require int // confirmed injections without which the run proves nothing; 0 is 1, negative none
}

// Validate reports every mistake, joined.
func (n Nemesis) Validate() error {
	if n.Fault == nil {
		return errors.New("a nemesis without a fault")
	}
	return errors.Join(n.Fault.Validate(), n.Pick.Validate(), n.When.Validate())
}

// record is the entry as the history's header has it.
func (n Nemesis) record() history.Nemesis {
	r := history.Nemesis{Fault: n.Fault.String(), When: n.When.String(), Require: n.Require}
	if n.Require == 0 {
		r.Require = 1
	}
	r.Require = max(r.Require, 0)
	if !n.Fault.Traits().Whole {
		r.Pick = n.Pick.String()
	}
	return r
}

// Mixed is one of several faults each time, by weight. Plan resolves it; it is never injected itself.
type Mixed []Weighted

// Weighted is one of several faults.
type Weighted struct {
	Weight int // 0 is 1
	Fault  Fault
}

func (m Mixed) String() string {
	s := make([]string, len(m))
	for i, w := range m {
		s[i] = fmt.Sprintf("%d × %s", max(w.Weight, 1), w.Fault)
	}
	return "mixed " + strings.Join(s, ", ")
}

// Validate wants at least one fault, and reports every mistake in them.
func (m Mixed) Validate() error {
	if len(m) == 0 {
		return errors.New("mixed: no fault: want at least one")
	}
	var errs []error
	for _, w := range m {
		switch {
		case w.Fault == nil:
			errs = append(errs, errors.New("mixed: an entry without a fault"))
		case w.Weight < 0:
			errs = append(errs, fmt.Errorf("mixed: %s has the weight %d: want a positive number", w.Fault, w.Weight))
		default:
			errs = append(errs, w.Fault.Validate())
		}
	}
	return errors.Join(errs...)
}

// Traits has none: each of the faults has its own.
func (m Mixed) Traits() Traits { return Traits{} }

// Begin makes an injection that is refused: the plan has one of the faults in place of a mix.
func (m Mixed) Begin() Injection { return unresolved{} }

// pick draws one of the faults.
func (m Mixed) pick(rng *rand.Rand) Fault {
	sum := 0
	for _, w := range m {
		sum += max(w.Weight, 1)
	}
	at := rng.IntN(sum)
	for _, w := range m {
		if at -= max(w.Weight, 1); at < 0 {
			return w.Fault
		}
	}
	return nil
}

// Shot is one time at which one nemesis strikes: everything about it that can be known beforehand.
type Shot struct {
	Nemesis int           // index into Run.Chaos
	Turn    int           // its number within the nemesis, from 0
	At      time.Duration // since the beginning of the chaos stage
	Fault   Fault         // of a mix, the one that was drawn
	Draw    uint64        // with the seed, the order in which slots are preferred
	Place   int           // its place among those of a burst, which have one draw
	// Aims fixes the victims in place of Draw. Only a replay has them.
	Aims []Aim
}

// Aim is a victim as it was recorded: the member in that slot or, where that one cannot be picked just now, the one of
// that rank (its place among those that can be, by slot).
type Aim struct{ Slot, Rank int }

// Plan resolves the nemeses into shots: the same seed gives the same ones.
func Plan(seed uint64, chaos []Nemesis) (shots []Shot) {
	for i, n := range chaos {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		turn := 0
		for _, at := range n.When.times(rng) {
			draw := rng.Uint64()
			for place := range max(n.When.Burst, 1) {
				s := Shot{Nemesis: i, Turn: turn, At: at, Fault: n.Fault, Draw: draw, Place: place}
				if mix, ok := n.Fault.(Mixed); ok {
					s.Fault = mix.pick(rng)
				}
				shots = append(shots, s)
				turn++
			}
		}
	}
	return shots
}

// unresolved is an injection that was not planned.
type unresolved struct{ Steps }

func (unresolved) Setup(context.Context, *Case) error {
	return Refuse("a mix is resolved by the plan and not injected itself")
}

func (unresolved) Inject(context.Context, *Case) error { return nil }

func (unresolved) Confirm(context.Context, *Case) (r history.Receipt, err error) { return r, nil }

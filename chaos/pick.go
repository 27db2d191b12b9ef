package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Pick says which members become victims. At most one of Random, Percent, All, Oldest, Newest, Slots and Each is set; the
// zero value means one member at random. State and Phase narrow down who can be picked.
type Pick struct {
	Random  int     // so many at random
	Percent float64 // this share of those that can be picked, rounded up, at random: 0 to 100
	All     bool    // every one
	Oldest  int     // those that have lived longest
	Newest  int     // those that were started last, booting ones included
	Slots   []int   // the members in these slots, booting ones included
	Each    bool    // slot after slot, one each time

	// State is idle, busy, starting or ready: as the target lists the member at that moment. Default: ready.
	State string
	// Phase is hit exactly: the victim is stopped, its phase read, and only if it is this one struck. booting, idle,
	// reading, running, writing or draining.
	Phase string
}

var (
	pickStates = []string{"idle", "busy", "starting", "ready"}
	pickPhases = []string{"booting", "idle", "reading", "running", "writing", "draining"}
)

// Validate reports every mistake, joined.
func (p Pick) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	ways := 0
	for _, set := range []bool{p.Random != 0, p.Percent != 0, p.All, p.Oldest != 0, p.Newest != 0, p.Slots != nil, p.Each} {
		if set {
			ways++
		}
	}
	bad(ways > 1, "pick: %d of random, percent, all, oldest, newest, slot and each: want at most one", ways)
	bad(p.Random < 0 || p.Oldest < 0 || p.Newest < 0, "pick: a negative number of members")
	bad(p.Percent < 0 || p.Percent > 100, "pick: %v%%: want 0%% to 100%%", p.Percent)
	bad(slices.ContainsFunc(p.Slots, func(s int) bool { return s < 0 }), "pick: slots are counted from 0")
	bad(p.State != "" && !slices.Contains(pickStates, p.State), "pick: state %q: want one of %s", p.State, strings.Join(pickStates, ", "))
	bad(p.Phase != "" && !slices.Contains(pickPhases, p.Phase), "pick: phase %q: want one of %s", p.Phase, strings.Join(pickPhases, ", "))
	return errors.Join(errs...)
}

// String is the one-line form: "random 1 busy".
func (p Pick) String() string {
	var s string
	switch {
	case p.Percent != 0:
		s = fmt.Sprintf("percent %v%%", p.Percent)
	case p.All:
		s = "all"
	case p.Oldest != 0:
		s = fmt.Sprintf("oldest %d", p.Oldest)
	case p.Newest != 0:
		s = fmt.Sprintf("newest %d", p.Newest)
	case p.Slots != nil:
		s = "slot " + strings.Trim(fmt.Sprint(p.Slots), "[]")
	case p.Each:
		s = "each"
	default:
		s = fmt.Sprintf("random %d", max(p.Random, 1))
	}
	if p.State != "" {
		s += " " + p.State
	}
	if p.Phase != "" {
		s += " in phase " + p.Phase
	}
	return s
}

// eligible tells whether m can be picked as things are.
func (p Pick) eligible(m Member) bool {
	if m.PID <= 0 || p.Slots != nil && !slices.Contains(p.Slots, m.Slot) {
		return false
	}
	switch {
	case p.State == "idle":
		return m.Idle()
	case p.State == "busy":
		return m.Busy()
	case p.State == "starting", p.Phase == "booting":
		return m.State == Starting
	case p.Phase == "draining":
		return m.State != Starting
	case p.State == "" && (p.Newest > 0 || p.Slots != nil): // also one that is booting
		return m.State != Stopping
	}
	return m.State == Ready
}

// candidate is a member that can be picked, and its rank: its place among them by slot.
type candidate struct {
	Member
	rank int
}

// candidates lists those that can be picked, by slot.
func (p Pick) candidates(members []Member, taken func(Member) bool) (list []candidate) {
	members = slices.Clone(members)
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.Slot, b.Slot) })
	for _, m := range members {
		if p.eligible(m) && !taken(m) {
			list = append(list, candidate{m, len(list)})
		}
	}
	return list
}

// choose picks among the candidates. turn counts the picks of the same list before this one.
func (p Pick) choose(list []candidate, turn int, rng *rand.Rand) []candidate {
	list = slices.Clone(list)
	n := max(p.Random, 1)
	switch {
	case p.All, p.Slots != nil:
		return list
	case p.Each:
		return p.nextSlot(list, turn)
	case p.Percent > 0:
		n = max(1, int(math.Ceil(p.Percent/100*float64(len(list))-1e-9))) // less what arithmetic adds
	case p.Oldest > 0, p.Newest > 0:
		n = p.Oldest + p.Newest
		slices.SortStableFunc(list, func(a, b candidate) int { return a.Started.Compare(b.Started) })
		if p.Newest > 0 {
			slices.Reverse(list)
		}
		return list[:min(n, len(list))]
	}
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(n, len(list))]
}

// again picks the recorded victims, nobody twice.
func again(aims []Aim, list []candidate) (chosen []candidate) {
	list = slices.Clone(list)
	for _, a := range aims {
		if len(list) == 0 {
			break
		}
		i := slices.IndexFunc(list, func(c candidate) bool { return c.Slot == a.Slot })
		if i < 0 {
			i = a.Rank % len(list)
		}
		chosen = append(chosen, list[i])
		list = slices.Delete(list, i, i+1)
	}
	return chosen
}

// nextSlot is the candidate in slot number turn, counting around.
func (p Pick) nextSlot(list []candidate, turn int) []candidate {
	for _, c := range list {
		if c.Slot == turn {
			return []candidate{c}
		}
	}
	return nil
}

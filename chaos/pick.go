package chaos

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/internal/procfs"
)

// Pick says which members become victims. At most one of Random, Percent, All, Oldest, Newest, Slots and Each is set;
// the zero value means one member at random. State and Phase narrow down who can be picked.
type Pick struct {
	Random  int     // so many at random
	Percent float64 // this share of those that can be picked, rounded up, at random: 0 to 100
	All     bool    // every one
	Oldest  int     // those that have lived longest
	Newest  int     // those that were started last, booting ones included
	Slots   []int   // the members in these slots, booting ones included
	Each    bool    // slot after slot, one each time

	// Role is chaos.Node, chaos.Broker or chaos.Owner. Default: whoever runs tasks.
	Role string
	// State is idle, busy, starting or ready: as the target lists the member at that moment. Default: ready.
	State string
	// Phase is hit exactly: the victim is stopped, its phase read, and only if it is this one struck. booting, idle,
	// reading, running, writing or draining. Of a broker: leader, follower or catching-up, which last for seconds, so
	// that nobody is stopped for a look.
	Phase string

	// In is a system call, one of procfs.Calls: the victim is seen to wait in it, stopped, looked at again, and only if
	// it is there still struck. A call may complete in between without a trace, as the receipt says.
	In string
}

var (
	pickStates = []string{"idle", "busy", "starting", "ready"}
	pickPhases = []string{"booting", "idle", "reading", "running", "writing", "draining"}
	pickParts  = []string{"leader", "follower", "catching-up"} // phases of brokers
	pickRoles  = []string{Node, Broker, Owner}
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
	for _, set := range []bool{
		p.Random != 0, p.Percent != 0, p.All, p.Oldest != 0, p.Newest != 0, p.Slots != nil, p.Each,
	} {
		if set {
			ways++
		}
	}
	bad(ways > 1, "pick: %d of random, percent, all, oldest, newest, slot and each: want at most one", ways)
	bad(p.Random < 0 || p.Oldest < 0 || p.Newest < 0, "pick: a negative number of members")
	bad(p.Percent < 0 || p.Percent > 100, "pick: %v%%: want 0%% to 100%%", p.Percent)
	bad(slices.ContainsFunc(p.Slots, func(s int) bool { return s < 0 }), "pick: slots are counted from 0")
	bad(p.State != "" && !slices.Contains(pickStates, p.State), "pick: state %q: want one of %s", p.State,
		strings.Join(pickStates, ", "))
	bad(p.Role != "" && !slices.Contains(pickRoles, p.Role), "pick: role %q: want one of %s", p.Role,
		strings.Join(pickRoles, ", "))
	phases := pickPhases
	if p.Role == Broker {
		phases = pickParts
	}
	bad(p.Phase != "" && !slices.Contains(phases, p.Phase), "pick: phase %q: want one of %s%s", p.Phase,
		strings.Join(phases, ", "), p.otherRole())
	bad(p.Role == Owner && p.Phase != "", "pick: phase %s: an owner has none", p.Phase)
	bad(!RunsTasks(p.Role) && (p.State == "idle" || p.State == "busy"), "pick: state %s: %s runs no tasks", p.State,
		map[string]string{Broker: "a broker", Owner: "an owner"}[p.Role])
	bad(p.In != "" && len(procfs.Calls()) > 0 && !slices.Contains(procfs.Calls(), p.In),
		"pick: in %q: want a system call in which a process waits: %s", p.In, strings.Join(procfs.Calls(), ", "))
	bad(p.In != "" && p.Phase != "", "pick: in and phase contradict each other: want one")
	return errors.Join(errs...)
}

// otherRole is what a mistake about a broker's phase is told.
func (p Pick) otherRole() string {
	if p.Role != Broker && slices.Contains(pickParts, p.Phase) {
		return "; that is a broker's: want role: broker"
	}
	return ""
}

// hitsExactly tells whether victims are stopped to see what they do.
func (p Pick) hitsExactly() bool { return p.In != "" || p.Phase != "" && p.Role != Broker }

// picks tells whether the member is of the role.
func (p Pick) picks(m Member) bool {
	return m.Role == p.Role || RunsTasks(m.Role) && RunsTasks(p.Role)
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
	if p.Role != "" {
		s += " " + p.Role
	}
	if p.State != "" {
		s += " " + p.State
	}
	if p.Phase != "" {
		s += " in phase " + p.Phase
	}
	if p.In != "" {
		s += " in " + p.In
	}
	return s
}

// eligible tells whether m can be picked as things are.
func (p Pick) eligible(m Member) bool {
	if m.PID <= 0 || p.Slots != nil && !slices.Contains(p.Slots, m.Slot) || p.Slots == nil && !p.picks(m) {
		return false
	}
	switch {
	case p.Role == Broker && p.Phase != "":
		return m.Phase == p.Phase
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

// order is in which order a shot prefers slots: a function of the seed and the plan, whoever is in them at the time.
type order struct {
	seed, draw uint64
	place      int // of the shot, among those that strike at once with the same draw: each prefers others
	from       int // the first slot of those that can be picked
}

// slots is so many slots in that order, for a shot that strikes n of them.
func (o order) slots(total, n int) []int {
	slots, ranks := make([]int, total), make([]uint64, total)
	for slot := range slots {
		slots[slot], ranks[slot] = o.from+slot, rand.NewPCG(o.seed+uint64(slot)<<32, o.draw).Uint64()
	}
	slices.SortFunc(slots, func(a, b int) int { return cmp.Compare(ranks[a-o.from], ranks[b-o.from]) })
	if total == 0 {
		return slots
	}
	at := o.place * n % total
	return slices.Concat(slots[at:], slots[:at])
}

// byChance tells whether victims are drawn: who is first in the shot's order, and not who is in some state.
func (p Pick) byChance() bool {
	return !p.All && p.Slots == nil && !p.Each && p.Oldest == 0 && p.Newest == 0 && p.State == "" && p.Phase == "" &&
		p.In == ""
}

// number is how many of so many are picked at random.
func (p Pick) number(of int) int {
	if p.Percent > 0 {
		return max(1, int(math.Ceil(p.Percent/100*float64(of)-1e-9))) // less what arithmetic adds
	}
	return max(p.Random, 1)
}

// choose picks among the candidates for a target of so many slots. turn counts the picks of the same list before this
// one.
func (p Pick) choose(list []candidate, turn, slots int, o order) []candidate {
	list = slices.Clone(list)
	switch {
	case p.All, p.Slots != nil:
		return list
	case p.Each:
		return p.nextSlot(list, o.from+turn)
	case p.Oldest > 0, p.Newest > 0:
		n := p.Oldest + p.Newest
		slices.SortStableFunc(list, func(a, b candidate) int { return a.Started.Compare(b.Started) })
		if p.Newest > 0 {
			slices.Reverse(list)
		}
		return list[:min(n, len(list))]
	}
	n := p.number(len(list))
	for _, c := range list {
		slots = max(slots, c.Slot-o.from+1)
	}
	place := make(map[int]int, slots)
	for i, slot := range o.slots(slots, n) {
		place[slot] = i
	}
	placeOf := func(c candidate) int {
		if at, ok := place[c.Slot]; ok {
			return at
		}
		return slots // it waits to take any: last
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(placeOf(a), placeOf(b)) })
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

// nextSlot is the candidate in the slot.
func (p Pick) nextSlot(list []candidate, slot int) []candidate {
	for _, c := range list {
		if c.Slot == slot {
			return []candidate{c}
		}
	}
	return nil
}

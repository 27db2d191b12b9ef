package ledger

import (
	"slices"
	"time"
)

// State is how a slot is, as far as it is told by now, in the order in which they ask for attention.
type State byte

// The states of slots.
const (
	Up       State = iota // its member is ready
	Absent                // nobody is told to be there
	Starting              // its member is not ready yet
	Struck                // a fault was injected into it within the last second
	Down                  // its member died of a fault, and nobody was of use there since
)

// lately is how long ago a fault was injected at most that a slot is shown as struck for: recoveries are quicker than
// eyes.
const lately = time.Second

// States is how each slot is now. Of a target that tells no events it is known that all are up, or nothing but who is
// down.
func (s *Ledger) States() []State {
	list := make([]State, max(0, s.Whole.Want))
	set := func(slot int, state State) {
		if slot >= 0 && slot < len(list) {
			list[slot] = max(list[slot], state)
		}
	}
	if !s.Can("events") {
		if last := &s.Looks.Last; s.Looks.N == 0 || ReadyIn(last) < last.Want {
			fill(list, Absent)
		}
	} else {
		fill(list, Absent)
		for pid, one := range s.Lives.open {
			if one.Slot < 0 || one.Slot >= len(list) {
				continue
			}
			if s.Lives.Ready[pid] {
				list[one.Slot] = Up
			} else if list[one.Slot] == Absent {
				list[one.Slot] = Starting
			}
		}
	}
	for _, i := range slices.Backward(s.Injections.List) {
		if i.First+2*lately < s.Now { // they are in the order of their first records
			break
		}
		if i.Injected && i.Victim != nil && s.Now-i.Began < lately {
			set(i.Victim.Slot, Struck)
		}
	}
	for slot := range s.Slots.Pending {
		set(slot, Down)
	}
	return list
}

func fill(list []State, state State) {
	for i := range list {
		list[i] = state
	}
}

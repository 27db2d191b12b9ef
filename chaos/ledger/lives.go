package ledger

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Lives is the members' lives over the whole run, also while the target is stopped.
type Lives struct {
	List  []*Life // in the order in which the history first tells of them
	Ends  []*Life // those that ended, in that order
	open  map[int]*Life
	byPID map[int][]*Life // in the order of List
	Ready map[int]bool    // the pids that are ready now
}

// Life is one process in one slot.
type Life struct {
	Slot, Gen, PID int // Slot is -1 for one that waits to take any
	Name           string
	From           time.Duration // when it started; -1: the record does not tell
	Ready          time.Duration // when it first was; -1: it never was
	To             time.Duration // its end; -1: it has none in the record
	Reason         string        // the target's own, for its end
	Exit           *history.Exit // nil where nobody tells how it ended
	Line           int           // of its end, or of its beginning
}

func (l *Lives) init() { l.open, l.byPID, l.Ready = map[int]*Life{}, map[int][]*Life{}, map[int]bool{} }

func (l *Lives) add(line int, e *history.Event) {
	m := e.Member
	if m == nil || m.PID <= 0 {
		return
	}
	at := m.At
	if at == 0 {
		at = e.T
	}
	switch m.Op {
	case history.Started, history.Ready:
		one := l.open[m.PID]
		if one == nil {
			one = l.begin(m, line)
			one.From = at
		}
		if m.Slot >= 0 { // one that waited has its slot by now
			one.Slot = m.Slot
		}
		if m.Op == history.Ready {
			l.Ready[m.PID] = true
			if one.Ready < 0 {
				one.Ready = at
			}
		}
	case history.Retiring, history.Quarantined:
		delete(l.Ready, m.PID)
	case history.Exited:
		one := l.open[m.PID]
		if one == nil {
			one = l.begin(m, line)
		}
		delete(l.open, m.PID)
		delete(l.Ready, m.PID)
		one.To, one.Reason, one.Exit, one.Line = max(at, one.From), m.Reason, m.Exit, line
		l.Ends = append(l.Ends, one)
	}
}

func (l *Lives) begin(m *history.MemberEvent, line int) *Life {
	one := &Life{Slot: m.Slot, Gen: m.Gen, PID: m.PID, Name: m.Name, From: -1, Ready: -1, To: -1, Line: line}
	l.open[m.PID] = one
	l.List = append(l.List, one)
	l.byPID[m.PID] = append(l.byPID[m.PID], one)
	return one
}

// BySlot is the lives of each slot in the order of their beginnings.
func (l *Lives) BySlot() map[int][]*Life {
	slots := map[int][]*Life{}
	for _, one := range l.List {
		slots[one.Slot] = append(slots[one.Slot], one)
	}
	for _, list := range slots {
		slices.SortStableFunc(list, func(a, b *Life) int { return int(a.From - b.From) })
	}
	return slots
}

// Of is the life of the process at that time, nil if it is not in the record. What is told of its end may come a little
// later than what ended it: after the last life with that number it is that one.
func (l *Lives) Of(pid int, at time.Duration) (last *Life) {
	for _, one := range l.byPID[pid] {
		if last = one; one.To < 0 || at <= one.To+lateness {
			return one
		}
	}
	return last
}

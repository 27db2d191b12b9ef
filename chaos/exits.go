package chaos

import (
	"slices"
	"sync"

	"github.com/respawn-go/respawn/chaos/history"
)

// exits hands the target's exit events to the injections that wait for them. Safe for concurrent use.
type exits struct {
	mu      sync.Mutex
	watches []*exitWatch
}

// exitWatch waits for the end of one member.
type exitWatch struct {
	member Member
	seen   chan history.MemberEvent // room for one
}

// watch begins to wait for the end of m. Call it while m is known to be alive.
func (x *exits) watch(m Member) *exitWatch {
	w := &exitWatch{member: m, seen: make(chan history.MemberEvent, 1)}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.watches = append(x.watches, w)
	return w
}

func (x *exits) forget(w *exitWatch) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.watches = slices.DeleteFunc(x.watches, func(o *exitWatch) bool { return o == w })
}

// see hands on an exit. A pid may have been another member's before, whose event is still on its way, so slot and
// generation must be right too where they are told.
func (x *exits) see(e history.MemberEvent) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, w := range x.watches {
		if w.member.PID != e.PID ||
			w.member.Generation != 0 && (w.member.Slot != e.Slot || w.member.Generation != e.Gen) {
			continue
		}
		select {
		case w.seen <- e:
		default:
		}
	}
}

package members

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/internal/procfs"
)

// Adoptions tells members from what members had started: when a member dies, its children are handed to an ancestor,
// such as the first process of a container, and look like its replacement. The zero value is ready. Not safe for
// concurrent use.
type Adoptions struct {
	last    procfs.Table          // of the last look
	members []int                 // at the last look
	started map[int]time.Duration // what a member had started, by pid: when
}

// Without is pids, which the rule has found in the table, without what members had started at an earlier look. In a
// tree those are members themselves.
func (a *Adoptions) Without(r *Rule, table procfs.Table, pids []int) []int {
	if r.tree() {
		return pids
	}
	for pid := range a.started {
		if table[pid].Started != a.started[pid] {
			delete(a.started, pid)
		}
	}
	for _, pid := range pids {
		before, known := a.last[pid]
		if known && before.Started == table[pid].Started && !slices.Contains(a.members, pid) &&
			a.last.Has(pid, func(ancestor int) bool { return slices.Contains(a.members, ancestor) }) {
			if a.started == nil {
				a.started = map[int]time.Duration{}
			}
			a.started[pid] = before.Started
		}
	}
	pids = slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { _, is := a.started[pid]; return is })
	a.last, a.members = table, pids
	return pids
}

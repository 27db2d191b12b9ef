package chaos

import (
	"maps"
	"path/filepath"
	"strings"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/procfs"
)

// oomWatch counts the kernel's OOM kills that may have hit members although no fault was to: those in the memory cgroup
// that the members' parent is in, where the members are that have none of their own. What the kernel kills in other
// groups of this host is no business of this run. Where there is no such group, or members are elsewhere, all the kills
// of this host count, less those in the members' own groups.
type oomWatch struct {
	groups map[string]*countedGroup // by directory
	host   bool                     // count the whole host's instead
	before int64                    // of the host
}

type countedGroup struct {
	*cgroup.Group
	before, last uint64
}

func (o *oomWatch) begin(parent int, members []Member) {
	o.before, _ = procfs.HostOOMKills()
	o.groups = map[string]*countedGroup{}
	o.follow(parent)
	o.host = len(o.groups) == 0
	for _, m := range members {
		g, err := cgroup.Of(m.PID, cgroup.Memory)
		if err != nil {
			continue // it is gone
		}
		dir := g.Dir(cgroup.Memory)
		if o.groups[dir] == nil && !strings.HasPrefix(filepath.Base(dir), "respawn-") {
			o.host = true
		}
	}
}

// follow looks where the parent is now: on version 2 it may have been moved to a leaf of its group.
func (o *oomWatch) follow(parent int) {
	g, err := cgroup.Of(parent, cgroup.Memory)
	if err != nil {
		return
	}
	dir := g.Dir(cgroup.Memory)
	if n, err := g.LocalOOMKills(); err == nil && o.groups[dir] == nil {
		o.groups[dir] = &countedGroup{g, n, n}
	}
}

// kills is how many there were since begin.
func (o *oomWatch) kills(x *experiment) (n int64) {
	if o.host {
		return o.hostKills(x)
	}
	for _, g := range o.groups {
		if now, err := g.LocalOOMKills(); err == nil { // else the group is gone
			g.last = now
		}
		n += int64(g.last - g.before)
	}
	return n
}

func (o *oomWatch) hostKills(x *experiment) int64 {
	now, err := procfs.HostOOMKills()
	if err != nil {
		return 0
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for own := range maps.Values(x.ownOOM) {
		now -= own
	}
	return max(now-o.before, 0)
}

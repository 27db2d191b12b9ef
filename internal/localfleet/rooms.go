package localfleet

import (
	"crypto/rand"
	"errors"
	"time"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/guardian"
)

// LeastMemory is what a node must have.
const LeastMemory = 64 << 20

// rooms are the memory cgroups of nodes, which each holds with its workers. A guardian ends who is in them, and removes
// them, should this process be killed.
type rooms struct {
	guard *guardian.Guardian // nil while there is none of them
	all   []*cgroup.Group
}

// add makes one of so many bytes.
func (r *rooms) add(name string, bytes int64) (g *cgroup.Group, err error) {
	if r.guard == nil {
		if r.guard, err = guardian.Start("rooms-"+rand.Text(), nil); err != nil {
			return nil, err
		}
	}
	if g, err = cgroup.Create(name, cgroup.Memory); err != nil {
		return nil, err
	}
	r.all = append(r.all, g)
	return g, g.SetMemoryMax(bytes)
}

// take puts a process into its room, if it has one.
func (r *rooms) take(g *cgroup.Group, pid int) error {
	if g == nil {
		return nil
	}
	return errors.Join(r.guard.Watch(pid, g.Dir(cgroup.Memory)), g.Add(pid))
}

// leave tells that it has ended.
func (r *rooms) leave(g *cgroup.Group, pid int) {
	if g != nil {
		r.guard.Forget(pid)
	}
}

// close ends who is left in them, and removes them.
func (r *rooms) close() error {
	if r.guard == nil {
		return nil
	}
	var errs []error
	for _, g := range r.all {
		errs = append(errs, g.Kill())
		for _, dir := range g.Made() {
			errs = append(errs, cgroup.RemoveLeft(dir, 5*time.Second))
		}
	}
	return errors.Join(append(errs, r.guard.Close())...)
}

// OOMKills counts the processes of nodes that the kernel has ended, since they were to use more than Config.Memory.
func (f *Fleet) OOMKills() (n int, err error) {
	for _, g := range f.rooms.all {
		kills, oops := g.OOMKills()
		n, err = n+int(kills), errors.Join(err, oops)
	}
	return n, err
}

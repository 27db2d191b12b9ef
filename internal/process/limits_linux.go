package process

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/internal/cgroup"
)

var births atomic.Int64

// bear starts the process in a memory cgroup of its own: on version 2 the kernel puts it there as it is made, on
// version 1 it is moved before it has run much. Where there is no group to be had, Confine says why. start takes the
// group's directory, nil for none.
func (p *osProcess) bear(limit int64,
	start func(group *os.File) (int, *os.File, error),
) (id int, held *os.File, err error) {
	if limit == 0 {
		return start(nil)
	}
	g, err := limited(fmt.Sprintf("birth-%d", births.Add(1)), limit)
	if err != nil {
		return start(nil)
	}
	if g.Version(cgroup.Memory) == 2 {
		if dir, err := os.Open(g.Dir(cgroup.Memory)); err == nil {
			defer dir.Close()
			if id, held, err = start(dir); err == nil {
				p.group = g
				return id, held, nil
			} // else clone3 may be forbidden (seccomp)
		}
	}
	id, held, err = start(nil)
	if err == nil && g.Add(id) == nil {
		p.group = g
	} else {
		_ = g.Remove()
	}
	return id, held, err
}

// limited makes a memory cgroup.
func limited(name string, limit int64) (*cgroup.Group, error) {
	g, err := cgroup.Create(name, cgroup.Memory)
	if err != nil {
		return nil, err
	}
	if err = g.SetMemoryMax(limit); err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// confineCgroup moves the process into a memory cgroup of its own.
func (p *osProcess) confineCgroup(limit int64) error {
	g, err := limited(fmt.Sprintf("worker-%d", p.id), limit)
	if err != nil {
		return err
	}
	if err = p.addTo(g); err != nil {
		_ = g.Remove()
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left { // it died meanwhile: the kernel takes a zombie in and does nothing
		return errors.Join(errors.New("it is dead"), g.Remove())
	}
	p.group = g
	return nil
}

var errReaped = errors.New("it has been reaped")

// addTo puts the process into a group while its number is its own.
func (p *osProcess) addTo(g *cgroup.Group) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.Signal(0) != nil {
		return errReaped
	}
	return g.Add(p.id)
}

// leaveCgroup is called when the worker is dead: it ends everything that it left in its cgroup, keeps the evidence, and
// removes the group. It waits for those processes and so must not be called with a lock held that others wait for.
func (p *osProcess) leaveCgroup() {
	p.mu.Lock()
	g := p.group
	p.left = true
	p.mu.Unlock()
	if g == nil {
		return
	}
	_ = g.Kill()
	ooms, _ := g.OOMKills()
	p.mu.Lock()
	p.ooms = ooms
	p.mu.Unlock()
	if g.RemoveWithin(50*time.Millisecond) != nil { // somebody holds on to it: not a reason to keep the slot waiting
		go g.RemoveWithin(10 * time.Second)
	}
}

func (p *osProcess) OomKills() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ooms
}

func (p *osProcess) Cgroup() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		return ""
	}
	return p.group.Dir(cgroup.Memory)
}

package process

import (
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// confineCgroup moves the process into a memory cgroup of its own.
func (p *osProcess) confineCgroup(limit int64) error {
	g, err := cgroup.Create(fmt.Sprintf("worker-%d", p.id), cgroup.Memory)
	if err != nil {
		return err
	}
	if err = g.SetMemoryMax(limit); err == nil {
		err = p.addTo(g)
	}
	if err != nil {
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

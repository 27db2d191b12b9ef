package pool

import (
	"fmt"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// confineCgroup moves the process into a memory cgroup of its own.
func (p *osProcess) confineCgroup(limit Bytes) error {
	g, err := cgroup.Create(fmt.Sprintf("worker-%d", p.id), cgroup.Memory)
	if err != nil {
		return err
	}
	if err = g.Add(p.id); err == nil {
		err = g.SetMemoryMax(int64(limit))
	}
	if err != nil {
		_ = g.Remove()
		return err
	}
	p.mu.Lock()
	p.group = g
	p.mu.Unlock()
	return nil
}

func (p *osProcess) oomKills() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		return 0
	}
	n, _ := p.group.OOMKills()
	return n
}

func (p *osProcess) cgroup() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.group == nil {
		return ""
	}
	return p.group.Dir(cgroup.Memory)
}

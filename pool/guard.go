package pool

import (
	"github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/internal/process"
)

// guard ends a pool's workers when the process that made the pool is gone: a guardian, or nobody.
type guard interface {
	Watch(pid int, cgroupDir string) error
	Forget(pid int)
	Close() error
}

// noGuardian is for pools of fake processes, and the mutant.
type noGuardian struct{}

func (noGuardian) Watch(int, string) error { return nil }
func (noGuardian) Forget(int)              {}
func (noGuardian) Close() error            { return nil }

func (p *Pool) guardWatch(proc process.Process) {
	if err := p.guardian.Watch(proc.PID(), proc.Cgroup()); err != nil {
		p.warn("the guardian cannot watch a worker", "pid", proc.PID(), "err", err)
	}
}

func (p *Pool) guardForget(w *worker) {
	if w.proc != nil {
		p.guardian.Forget(w.proc.PID())
	}
}

func (p *Pool) startGuardian() error {
	if p.cfg.mutant == mutantNoGuardian || !p.real {
		return nil
	}
	g, err := guardian.Start(p.id, p.warn)
	if err == nil {
		p.guardian = g
	}
	return err
}

// sweep ends what the workers of a pool that is over have left behind: everything that carries its marker.
func (p *Pool) sweep() {
	if p.real {
		guardian.Sweep(p.id)
	}
}

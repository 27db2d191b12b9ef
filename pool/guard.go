package pool

// guardian ends a pool's workers when the process that made the pool is gone: see Guardian.
type guardian interface {
	Watch(pid int, cgroupDir string) error
	Forget(pid int)
	Close() error
}

// noGuardian is for pools of fake processes, and the mutant.
type noGuardian struct{}

func (noGuardian) Watch(int, string) error { return nil }
func (noGuardian) Forget(int)              {}
func (noGuardian) Close() error            { return nil }

func (p *Pool) guardWatch(proc process) {
	if err := p.guardian.Watch(proc.pid(), proc.cgroup()); err != nil {
		p.warn("the guardian cannot watch a worker", "pid", proc.pid(), "err", err)
	}
}

func (p *Pool) guardForget(w *worker) {
	if w.proc != nil {
		p.guardian.Forget(w.proc.pid())
	}
}

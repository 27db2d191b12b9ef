package pool

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/reexec"
)

// launch makes what the pool starts its workers with. The caller closes it.
func (c Config) launch(id string) (l process.Launch, err error) {
	l.Program = reexec.Program
	if c.Program != "" {
		if l.Program, err = exec.LookPath(c.Program); err == nil {
			l.Program, err = filepath.Abs(l.Program)
		}
		if err != nil {
			return l, fmt.Errorf("pool: Config.Program: %w", err)
		}
	}
	if c.Command != nil {
		if l.Program, err = c.lookUpCommand(); err != nil {
			return l, err
		}
		l.Command = append([]string{l.Program}, c.Command[1:]...)
	}
	l.Env = process.WorkerEnv(os.Environ(), c.Env, id)
	if l.Dir, err = process.OpenDir(c.Dir); err != nil && c.Dir != "" {
		return l, fmt.Errorf("pool: Config.Dir: %w", err)
	}
	return l, nil
}

// lookUpCommand finds the program of Config.Command. The path stays as it is found: an interpreter of a virtual
// environment is a link out of it, and knows where it belongs by its name.
func (c Config) lookUpCommand() (string, error) {
	name := c.Command[0]
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		var err error
		if name, err = filepath.Abs(filepath.Join(c.Dir, name)); err != nil {
			return "", fmt.Errorf("pool: Config.Command: %w", err)
		}
	}
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("pool: Config.Command: %w", err)
	}
	return path, nil
}

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
	if err != nil {
		return process.Advise(err)
	}
	p.guardian = g
	return nil
}

// sweep ends what the workers of a pool that is over have left behind: everything that carries its marker.
func (p *Pool) sweep() {
	if p.real {
		guardian.Sweep(p.id)
	}
}

package pool

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/respawn-go/respawn/internal/reexec"
)

// launch is what every worker of a pool is started with. New settles it once: the program may change its directory and its
// environment afterwards, and a replacement is still what the first workers were.
type launch struct {
	program string   // an absolute path
	command []string // of workers of another language: program, as it was found, and its arguments; else nil
	env     []string // all but the worker's name
	dir     *os.File // the directory itself, which may be renamed or removed; nil: the one that this process is in
}

// settle makes a pool's launch. The caller closes it.
func (c Config) settle(id string) (l launch, err error) {
	l.program = reexec.Program
	if c.Program != "" {
		if l.program, err = exec.LookPath(c.Program); err == nil {
			l.program, err = filepath.Abs(l.program)
		}
		if err != nil {
			return l, fmt.Errorf("pool: Config.Program: %w", err)
		}
	}
	if c.Command != nil {
		if l.program, err = c.lookUpCommand(); err != nil {
			return l, err
		}
		l.command = append([]string{l.program}, c.Command[1:]...)
	}
	l.env = workerEnv(os.Environ(), c.Env, id)
	if l.dir, err = openDir(c.Dir); err != nil && c.Dir != "" {
		return l, fmt.Errorf("pool: Config.Dir: %w", err)
	}
	return l, nil
}

// lookUpCommand finds the program of Config.Command. The path stays as it is found: an interpreter of a virtual environment is a
// link out of it, and knows where it belongs by its name.
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

// scarce tells whether a start failed for want of something that does not come back by itself, as processes and memory may.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, errAddressSpace)
}

// errAddressSpace is the error of memory that cannot be mapped.
var errAddressSpace = errors.New("each worker takes twice Config.MaxPayload of the address space, here and in itself, which a limit (ulimit -v) must allow")

// close gives back the directory.
func (l launch) close() {
	if l.dir != nil {
		l.dir.Close()
	}
}

// workDir is the directory for os.ProcAttr. The child goes there before it loses the descriptor.
func (l launch) workDir() string {
	if l.dir == nil {
		return ""
	}
	return fmt.Sprintf("/proc/self/fd/%d", l.dir.Fd())
}

// workerEnv is the environment of a pool's workers: the parent's, Config.Env, and ours, of which the later counts. The kernel
// would pass a name that is there twice as it is, and most programs take the first.
func workerEnv(base, own []string, id string) []string {
	env := slices.Concat(base, own, []string{reexec.Entry(id)})
	env = slices.DeleteFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, reexec.Worker.Env+"=") || strings.HasPrefix(kv, reexec.Protocol.Env+"=")
	})
	return (&exec.Cmd{Env: env}).Environ()
}

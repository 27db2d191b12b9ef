package foreign

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
)

// Start starts the program. The binary must call pool.Main first thing, since the guardian is a copy of it. The caller
// closes its copies of Stdin, Stdout and Files. Errors: [*NotInstalledError]; [*CommandError]; pool.ErrMainNotCalled;
// what the kernel says.
func Start(c Command) (*Program, error) {
	return start(c, "")
}

// Again starts the same command once more, as whoever finds the program ended would: with the same directory for
// temporary files, where what an earlier one has noted of itself is, and a sign of its own. It must be ended before the
// program is.
func (p *Program) Again() (*Program, error) { return start(p.command, p.temp) }

// start starts a program whose TMPDIR is temp; "" for one of its own.
func start(c Command, temp string) (*Program, error) {
	path, err := c.validate()
	if err != nil {
		return nil, err
	}
	p := &Program{
		marker: rand.Text()[:16], temp: temp, borrowed: temp != "", command: c, stderr: &tail{},
		exited: make(chan struct{}),
	}
	g, err := guardian.Start(p.marker, nil)
	if err != nil {
		return nil, err
	}
	p.guardian = g
	if !p.borrowed {
		p.temp = filepath.Join(os.TempDir(), "respawn-foreign-"+p.marker)
		if _, err = g.Remove(p.temp); err == nil {
			err = makeTemp(p.temp, c)
		}
	}
	if err == nil {
		err = p.spawn(path, c)
	}
	if err != nil {
		p.removeTemp()
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	_ = p.guardian.Watch(p.pid, "")
	go p.stderr.read(p.pipe)
	go p.await()
	return p, nil
}

// makeTemp makes the directory for the program's temporary files: one that is killed cannot remove them itself.
func makeTemp(dir string, c Command) error {
	err := os.Mkdir(dir, 0o700)
	as, asErr := c.credential()
	if err == nil && as != nil {
		err = os.Chown(dir, int(as.Uid), int(as.Gid))
	}
	return errors.Join(err, asErr)
}

// removeTemp removes it if it is the program's own, and ends the guardian that would.
func (p *Program) removeTemp() {
	if !p.borrowed {
		_ = os.RemoveAll(p.temp)
	}
	_ = p.guardian.Close()
}

// spawn starts the process with a pidfd that is held from its birth on.
func (p *Program) spawn(path string, c Command) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	in, out := c.Stdin, c.Stdout
	if in == nil {
		in = null
	}
	if out == nil {
		out = w
	}
	fd := -1
	attr := &syscall.SysProcAttr{Setsid: true, PidFD: &fd}
	if attr.Credential, err = c.credential(); err != nil {
		r.Close()
		return err
	}
	proc, err := os.StartProcess(path, c.Argv, &os.ProcAttr{
		Dir: c.Dir, Env: p.environment(), Files: append([]*os.File{in, out, w}, c.Files...), Sys: attr,
	})
	if err != nil {
		r.Close()
		return err
	}
	p.pid, p.pipe = proc.Pid, r
	if it, err := procfs.Read(p.pid); err == nil {
		p.began = it.Started
	}
	p.pidfd, err = pidfd.Born(proc, fd)
	return err
}

// Run runs a command to its end as the program was started: with its environment, TMPDIR, directory and user. What it
// leaves running carries the program's sign; all of it that has not made a group of its own is ended when ctx is. said
// is what the command said, and the error has the end of that.
func (p *Program) Run(ctx context.Context, argv []string) (said string, err error) {
	c := p.command
	c.Argv = argv
	path, err := c.validate()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, argv[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = c.Dir, p.environment(), time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	if cmd.SysProcAttr.Credential, err = c.credential(); err != nil {
		return "", err
	}
	text, err := cmd.CombinedOutput()
	said = string(text)
	if err == nil || errors.Is(err, exec.ErrWaitDelay) { // what it has started holds its output
		return said, nil
	}
	const shown = 300
	words := strings.Join(strings.Fields(said), " ")
	return said, fmt.Errorf("%s: %w: %s", argv[0], err, words[max(0, len(words)-shown):])
}

// environment is what the program is started with.
func (p *Program) environment() []string {
	env := slices.Concat(os.Environ(), []string{"TMPDIR=" + p.temp}, p.command.Env, []string{reexec.Entry(p.marker)})
	return (&exec.Cmd{Env: env}).Environ() // of two with one name the later counts
}

// await closes exited when the process has ended, and leaves it unreaped.
func (p *Program) await() {
	defer close(p.exited)
	if pidfd.Await(p.pidfd) != nil {
		return
	}
	st, err := pidfd.Look(p.pidfd)
	if err != nil { // somebody else has reaped it, and the kernel may still tell
		st = pidfd.Reap(p.pidfd)
	}
	p.exit = Exit{Code: st.Code, Signal: st.Signal, Unseen: st.Code == pidfd.Unknown}
}

// Signal sends a signal to the program's own process, which is held since its birth.
func (p *Program) Signal(signal unix.Signal) error { return pidfd.Signal(p.pidfd, signal, 0) }

// numbered tells whether the program's number is still its own: until it is reaped, which where this process ignores
// SIGCHLD, or waits for any child, is not done here.
func (p *Program) numbered() bool { return pidfd.Signal(p.pidfd, 0, 0) == nil }

// End kills the program and every descendant, and waits until they are gone. Ending twice is fine. The error names what
// is left, which is only what the kernel does not let go within five seconds.
func (p *Program) End() error {
	p.end.Do(func() { p.endErr = p.endAll() })
	return p.endErr
}

func (p *Program) endAll() error {
	deadline := time.Now().Add(endTimeout)
	_ = p.Signal(unix.SIGSTOP) // it starts nothing more, and stays the parent by which some are known
	p.killOnce()
	pidfd.KillGroup(p.pid, func(sig syscall.Signal, flags int) error { return pidfd.Signal(p.pidfd, sig, flags) },
		func() bool { return false })
	left := p.killFamily(deadline)
	p.kin.release()
	select {
	case <-p.exited:
		p.guardian.Forget(p.pid)
		pidfd.Reap(p.pidfd)
		p.pidfd.Close()
	case <-time.After(time.Until(deadline)):
		left = append(left, p.pid)
	}
	_ = p.pipe.SetReadDeadline(time.Now())
	p.removeTemp()
	if len(left) > 0 {
		return fmt.Errorf("processes %v were killed but are not gone after %v", left, endTimeout)
	}
	return nil
}

// killFamily kills descendants until two looks in a row find none, since one may fork while it is looked for.
func (p *Program) killFamily(deadline time.Time) (left []int) {
	for clean := 0; clean < 2 && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if left = p.killOnce(); len(left) > 0 {
			clean = 0
		} else {
			clean++
		}
	}
	return left
}

// killOnce kills the descendants that are found now. All of them are held by a pidfd before the first is killed, and
// looked at again then: a number may have passed on, and whose parent is killed may lose the sign by which it is known.
func (p *Program) killOnce() (found []int) {
	family, _ := p.Family()
	var held []*Held
	for pid := range family {
		h, err := Hold(pid)
		if err != nil {
			continue
		}
		defer h.Release()
		if p.Owns(pid) {
			held = append(held, h)
		}
	}
	for _, h := range held {
		_ = h.Signal(unix.SIGKILL)
	}
	return slices.Sorted(maps.Keys(family))
}

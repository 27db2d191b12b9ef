package process

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/wire"
)

// osProcess is a worker that is a child process of this one.
type osProcess struct {
	id      int
	pidfd   *os.File // in the netpoller: a blocked Wait is a goroutine, not a thread
	tasks   *os.File // the parent's ends
	ctl     *os.File
	board   wire.Page
	tickets *tickets   // in place of board, for a worker of another language
	pipe    *osTickets // theirs
	down    []byte
	up      []byte
	rawTask syscall.RawConn
	rawCtl  syscall.RawConn
	stopped atomic.Bool // stopReading was called
	dead    atomic.Bool
	outputs []*output
	copying sync.WaitGroup
	tail    tail

	mu     sync.Mutex
	group  *cgroup.Group // nil without one
	left   bool          // leaveCgroup was called
	ooms   uint64        // the kernel's OOM kills in the group, once it was
	reaped bool
	kept   int            // loans of memory in the arenas
	marker string         // in the environment of all its descendants
	stop   syscall.Signal // what had stopped it when kill was first called
}

// starts bounds how many starts are under way: each has a dozen descriptors open, and the runtime forks one process at
// a time.
var starts = make(chan struct{}, 4)

// Start re-executes this program as a worker.
func Start(spec Spec) (Process, error) {
	starts <- struct{}{}
	defer func() { <-starts }()
	p := &osProcess{}
	files, err := p.open(spec)
	defer closeAll(files)
	if err == nil {
		err = p.exec(spec, files)
	}
	if err != nil {
		p.Close()
		return nil, Advise(err)
	}
	return p, nil
}

// Advise says what lifts a limit that a start met, where the error does not.
func Advise(err error) error {
	var limit unix.Rlimit
	switch {
	case errors.Is(err, unix.EMFILE):
		_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
		return fmt.Errorf("%w: this process may have %d (ulimit -n), and takes 4 or 5 for each worker: raise that, "+
			"or lower Config.Size", err, limit.Cur)
	case errors.Is(err, unix.ENFILE):
		return fmt.Errorf("%w: this host may have no more (/proc/sys/fs/file-max)", err)
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%w: the limit of processes may be reached (ulimit -u, pids.max of the cgroup)", err)
	}
	var path *fs.PathError
	switch {
	case !errors.As(err, &path) || path.Path != os.DevNull && path.Path != reexec.Program:
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf(
			"%w: user %d may not run the program, or not enter the directory that the pool was made in or Config.Dir",
			err, os.Geteuid())
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: a pool needs /dev/null, and /proc of the pid namespace that it is in", err)
	}
	return err
}

// exec starts the child in a session of its own, which has no terminal: what a handler starts and what would ask there
// for a password fails, where it would be stopped otherwise, and the worker with it. A session's leader leads a process
// group, which it cannot leave, and which nobody of another session can join (setsid(2), setpgid(2)).
func (p *osProcess) exec(spec Spec, files []*os.File) error {
	argv := []string{"respawn-worker " + spec.Worker}
	marker, err := reexec.Worker.Marker(spec.Worker)
	if err != nil {
		return err
	}
	if spec.Command != nil {
		argv, marker = spec.Command, reexec.Protocol.Env+"="+strconv.Itoa(wire.Protocol)
	}
	env := append(slices.Clip(spec.Env), marker)
	p.id, p.pidfd, err = p.bear(spec.Memory, func(group *os.File) (int, *os.File, error) {
		return spec.start(argv, env, files, group)
	})
	if i := slices.IndexFunc(spec.Env, func(kv string) bool { return strings.HasPrefix(kv, reexec.Pool+"=") }); i >= 0 {
		p.marker = spec.Env[i]
	}
	return err
}

// OpenDir opens a directory that this process may enter, "": the one that it is in.
func OpenDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(cmp.Or(dir, "."), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Faccessat(int(f.Fd()), ".", unix.X_OK, unix.AT_EACCESS); err != nil {
		f.Close()
		return nil, &os.PathError{Op: "enter", Path: dir, Err: err}
	}
	return f, nil
}

func (p *osProcess) PID() int { return p.id }
func (p *osProcess) Record() Record {
	if p.tickets != nil {
		return p.tickets
	}
	return p.board
}

func (p *osProcess) Arenas() (down, up []byte) { return p.down, p.up }

func (p *osProcess) Signal(sig syscall.Signal) error { return pidfd.Signal(p.pidfd, sig, 0) }

// Kill ends the process and everything in its group.
func (p *osProcess) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if p.stop == 0 {
		p.stop = pidfd.StoppedBy(p.pidfd)
	}
	pidfd.KillGroup(p.id, func(sig syscall.Signal, flags int) error { return pidfd.Signal(p.pidfd, sig, flags) },
		func() bool { return guardian.GroupHas(p.id, p.marker) })
	_ = p.Signal(unix.SIGKILL)
}

// AwaitDeath has a reader look once more for the end of the socket, before a tracer can hold it up.
func (p *osProcess) AwaitDeath() {
	_ = pidfd.Await(p.pidfd)
	p.dead.Store(true)
	p.Interrupt()
	pidfd.AwaitReapable(p.pidfd, p.id)
}

func (p *osProcess) Wait() Status {
	p.AwaitDeath()
	p.Kill()
	p.leaveCgroup()
	st := p.reap()
	pidfd.ReapGroup(p.id)
	guardian.AwaitGroup(p.id, time.Now().Add(groupWait))
	for _, o := range p.outputs {
		o.stop()
	}
	select {
	case <-p.copied():
	case <-time.After(outputWait):
	}
	return st
}

// groupWait is how long the end of a worker waits for what it started, which is killed, and may have gigabytes to give
// back.
const groupWait = time.Second

// outputWait is how long the end of a worker waits for its output to be taken by Config.Stdout and Config.Stderr.
const outputWait = time.Second

// copied is closed when all output has been taken.
func (p *osProcess) copied() <-chan struct{} {
	c := make(chan struct{})
	go func() {
		p.copying.Wait()
		close(c)
	}()
	return c
}

func (p *osProcess) reap() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := pidfd.Reap(p.pidfd)
	p.reaped = true
	return Status{
		Code: st.Code, Signal: st.Signal, Stopped: p.stop, User: st.User, System: st.System, MaxRSS: st.MaxRSS,
	}
}

// Confine puts the process into a memory cgroup of its own, unless it was born in one, or failing that lowers its
// RLIMIT_DATA.
func (p *osProcess) Confine(limit int64, cgroups bool) (noCgroup, err error) {
	if limit == 0 || p.Cgroup() != "" {
		return nil, nil
	}
	if cgroups {
		if noCgroup = p.confineCgroup(limit); noCgroup == nil {
			return nil, nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.Signal(0) != nil {
		return noCgroup, errReaped // its number may be somebody else's
	}
	rlimit := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
	if err := unix.Prlimit(p.id, unix.RLIMIT_DATA, &rlimit, nil); err != nil {
		return noCgroup, fmt.Errorf("limit the memory of pid %d: %w", p.id, err)
	}
	return noCgroup, nil
}

// Resident is the resident set from /proc/PID/statm; 0 when it cannot be read.
func (p *osProcess) Resident() int64 {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.id) + "/statm")
	fields := bytes.Fields(data)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// Halted looks at the state in /proc/PID/stat, behind the name, which may contain anything. A debugger's stop is a "t".
func (p *osProcess) Halted() bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.id) + "/stat")
	end := bytes.LastIndexByte(data, ')')
	return err == nil && end >= 0 && bytes.HasPrefix(data[end:], []byte(") T"))
}

func (p *osProcess) StderrTail() string { return p.tail.String() }

func (p *osProcess) Close() {
	for _, f := range []*os.File{p.pidfd, p.tasks, p.ctl} {
		if f != nil {
			f.Close()
		}
	}
	if p.pipe != nil {
		p.pipe.close()
	}
	if p.board.Mem != nil {
		_ = unix.Munmap(p.board.Mem)
		p.board.Mem = nil
	}
	p.letGo()
}

// GiveBack implements Process. Where the kernel will not, the memory stays as it is.
func (p *osProcess) GiveBack(memory []byte) { _ = unix.Madvise(memory, unix.MADV_REMOVE) }

// Keep counts who uses the arenas: this process until it is closed, and loans.
func (p *osProcess) Keep() (letGo func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept++
	return p.letGo
}

// letGo unmaps the arenas when nobody uses them any more.
func (p *osProcess) letGo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept--; p.kept >= 0 {
		return
	}
	for _, m := range [][]byte{p.down, p.up} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
	p.down, p.up = nil, nil
}

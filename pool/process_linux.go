package pool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// osProcess is a worker that is a child process of this one.
type osProcess struct {
	id      int
	pidfd   *os.File // in the netpoller: a blocked Wait is a goroutine, not a thread
	tasks   *os.File // the parent's ends
	ctl     *os.File
	board   page
	down    []byte
	up      []byte
	rawTask syscall.RawConn
	rawCtl  syscall.RawConn
	stopped atomic.Bool // stopReading was called
	outputs []*output
	copying sync.WaitGroup
	tail    tail

	mu     sync.Mutex
	group  *cgroup.Group // nil without one
	left   bool          // leaveCgroup was called
	ooms   uint64        // the kernel's OOM kills in the group, once it was
	reaped bool
	stop   syscall.Signal // what had stopped it when kill was first called
}

var errNoPidfd = errors.New("this kernel gives no pidfd: Linux 5.4 or later is needed")

// startProcess re-executes this program as a worker.
func startProcess(spec spawnSpec) (process, error) {
	p := &osProcess{}
	files, err := p.open(spec)
	defer closeAll(files)
	if err == nil {
		err = p.exec(spec, files)
	}
	if err != nil {
		p.close()
		return nil, advise(err)
	}
	return p, nil
}

// advise says what lifts a limit that a start met, where the error does not.
func advise(err error) error {
	var limit unix.Rlimit
	switch {
	case errors.Is(err, unix.EMFILE):
		_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)
		return fmt.Errorf("%w: this process may have %d (ulimit -n), and takes 4 or 5 for each worker: raise that, or lower Config.Size", err, limit.Cur)
	case errors.Is(err, unix.ENFILE):
		return fmt.Errorf("%w: this host may have no more (/proc/sys/fs/file-max)", err)
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("%w: the limit of processes may be reached (ulimit -u, pids.max of the cgroup)", err)
	}
	return err
}

// exec starts the child in a session of its own, which has no terminal: what a handler starts and what would ask there for a
// password fails, where it would be stopped otherwise, and the worker with it. A session's leader leads a process group, which
// it cannot leave, and which nobody of another session can join (setsid(2), setpgid(2)).
func (p *osProcess) exec(spec spawnSpec, files []*os.File) error {
	pidfd := -1
	proc, err := os.StartProcess(cmp.Or(spec.program, ownProgram), []string{"respawn-worker " + spec.worker}, &os.ProcAttr{
		Dir:   spec.workDir(),
		Env:   append(slices.Clip(spec.env), envWorker+"="+spec.worker),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	if err != nil {
		return err
	}
	p.id = proc.Pid
	if pidfd < 0 {
		_ = proc.Kill()
		_, _ = proc.Wait()
		return errNoPidfd
	}
	_ = proc.Release() // reaped here, by pid, while the pidfd says that it is still ours
	if err := unix.SetNonblock(pidfd, true); err != nil {
		return err
	}
	p.pidfd = os.NewFile(uintptr(pidfd), "pidfd")
	return nil
}

// openDir opens a directory that this process may enter, "": the one that it is in.
func openDir(dir string) (*os.File, error) {
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

func (p *osProcess) pid() int                  { return p.id }
func (p *osProcess) page() page                { return p.board }
func (p *osProcess) arenas() (down, up []byte) { return p.down, p.up }

func (p *osProcess) signal(sig syscall.Signal) error {
	var err error
	ctlErr := p.withPidfd(func(fd int) { err = unix.PidfdSendSignal(fd, sig, nil, 0) })
	return errors.Join(err, ctlErr)
}

// kill ends the process and everything in its group. The lock keeps the leader unreaped meanwhile: after that its
// number, which is the group's, may be somebody else's.
func (p *osProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if p.stop == 0 {
		p.stop = stoppedBy(p.id)
	}
	_ = unix.Kill(-p.id, unix.SIGKILL)
	_ = p.signal(unix.SIGKILL)
}

// stoppedBy is the signal that has stopped the child of that number, which is not reaped; 0 if it runs or is dead.
func stoppedBy(pid int) syscall.Signal {
	var info struct { // siginfo_t of SIGCHLD (sigaction(2))
		_      [4]int32
		pid    int32
		_      uint32
		status int32
		_      [100]byte
	}
	err := unix.Waitid(unix.P_PID, pid, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil || int(info.pid) != pid {
		return 0
	}
	return syscall.Signal(info.status)
}

// withPidfd calls fn with the raw pidfd.
func (p *osProcess) withPidfd(fn func(fd int)) error {
	raw, err := p.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { fn(int(fd)) })
}

// awaitExit blocks until the process of a non-blocking pidfd has exited: the pidfd is readable then (pidfd_open(2)).
func awaitExit(pidfd *os.File) error {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(polled, 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
}

// awaitReapable blocks until the child of that number, which has exited, can be reaped. While somebody traces it and does
// not wait for it, wait4(2) for it blocks (ptrace(2)), which must not be with a lock held.
func awaitReapable(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

func (p *osProcess) awaitDeath() {
	_ = awaitExit(p.pidfd)
	awaitReapable(p.id)
}

func (p *osProcess) wait() waitStatus {
	p.awaitDeath()
	p.kill() // the leader is a zombie now, so its group's number is still ours
	p.leaveCgroup()
	st := p.reap()
	for _, o := range p.outputs {
		o.stop()
	}
	select {
	case <-p.copied():
	case <-time.After(outputWait):
	}
	return st
}

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

func (p *osProcess) reap() waitStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	var status unix.WaitStatus
	var usage unix.Rusage
	var err error
	for {
		_, err = unix.Wait4(p.id, &status, 0, &usage)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.reaped = true
	if err != nil {
		return waitStatus{code: unknownCode}
	}
	st := waitStatus{
		code:   status.ExitStatus(),
		user:   time.Duration(usage.Utime.Nano()),
		system: time.Duration(usage.Stime.Nano()),
		maxRSS: Bytes(usage.Maxrss) * KiB,
	}
	st.stopped = p.stop
	if status.Signaled() {
		st.signal = status.Signal()
	}
	return st
}

// confine puts the process into a memory cgroup of its own, or failing that lowers its RLIMIT_DATA.
func (p *osProcess) confine(limit Bytes, cgroups bool) error {
	if limit == 0 {
		return nil
	}
	if cgroups {
		if err := p.confineCgroup(limit); err == nil {
			return nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return errReaped // its number may be somebody else's
	}
	rlimit := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
	if err := unix.Prlimit(p.id, unix.RLIMIT_DATA, &rlimit, nil); err != nil {
		return fmt.Errorf("limit the memory of pid %d: %w", p.id, err)
	}
	return nil
}

// resident is the resident set from /proc/PID/statm; 0 when it cannot be read.
func (p *osProcess) resident() Bytes {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(p.id) + "/statm")
	fields := bytes.Fields(data)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return Bytes(pages) * Bytes(os.Getpagesize())
}

func (p *osProcess) stderrTail() string { return p.tail.String() }

func (p *osProcess) close() {
	for _, f := range []*os.File{p.pidfd, p.tasks, p.ctl} {
		if f != nil {
			f.Close()
		}
	}
	for _, m := range [][]byte{p.board.mem, p.down, p.up} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
	p.board.mem, p.down, p.up = nil, nil, nil
}

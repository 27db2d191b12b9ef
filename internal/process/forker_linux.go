package process

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/reexec"
)

// A fork copies the parent's table of descriptors, and the child closes at exec what it is not to keep: microseconds
// for ten descriptors, milliseconds for ten thousand, which a pool of two thousand workers has, or a server of as many
// connections. A forker is a thread of this process with a table of its own, in which there is hardly more than what
// the next child is to have: it gets those by a socket (unix(7), SCM_RIGHTS), and sends the child's pidfd back. What is
// not to be closed at exec is there too, as a fork would have it.

// manyFiles is from how many descriptors on a forker is worth the two wake-ups that it takes.
const manyFiles = 1024

// forkers is one forker, which is made when it is first worth it.
type forkers struct {
	from int // descriptors
	once sync.Once
	made *forker // nil where there can be none
}

// ofProcess is that of all pools of this process. It never ends: a child that asks for a signal at its parent's end
// (prctl(2), PR_SET_PDEATHSIG) gets it at the end of the thread that started it, and this thread may have started some
// before it was the forker's.
var ofProcess = &forkers{from: manyFiles}

// ForkApart has workers started by a thread of its own while this process has many descriptors open, so that the cost
// of a start does not grow with their number. Where there can be none, they are started all the same.
func (l *Launch) ForkApart() { l.forkers = ofProcess }

// forker is what starts a child that is to have the file, which was just opened: the kernel gives the lowest number
// that is free.
func (f *forkers) forker(file *os.File) *forker {
	if f == nil || int(file.Fd()) < f.from {
		return nil
	}
	f.once.Do(func() { f.made, _ = newForker() })
	return f.made
}

// forker is one that runs.
type forker struct {
	mu     sync.Mutex // one at a time
	sock   int        // this process's end
	births chan birth
}

// birth is a child to be started: its descriptors come by the socket.
type birth struct {
	path string
	argv []string
	env  []string
	dir  bool // the last descriptor but the group's is the directory
	sys  syscall.SysProcAttr
	done chan born
}

// born is what came of it.
type born struct {
	pid int
	err error
}

// newForker starts the thread. It needs close_range(2), of Linux 5.9.
func newForker() (*forker, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a forker's socket: %w", err)
	}
	f := &forker{sock: pair[0], births: make(chan birth)}
	ready := make(chan error)
	go f.run(pair[1], ready)
	err = <-ready
	unix.Close(pair[1])
	if err != nil {
		unix.Close(pair[0])
		return nil, err
	}
	return f, nil
}

// start starts a worker. It is reaped by its pidfd.
func (l Launch) start(argv, env []string, files []*os.File, group *os.File) (id int, held *os.File, err error) {
	path, sys := cmp.Or(l.Program, reexec.Program), syscall.SysProcAttr{Setsid: true}
	if f := l.forkers.forker(files[len(files)-1]); f != nil {
		return f.start(path, argv, env, files, l.Dir, group, sys)
	}
	fd := -1
	sys.PidFD = &fd
	if group != nil {
		sys.UseCgroupFD, sys.CgroupFD = true, int(group.Fd())
	}
	attr := &os.ProcAttr{Env: env, Files: files, Sys: &sys}
	if l.Dir != nil {
		attr.Dir = inDir(int(l.Dir.Fd()))
	}
	proc, err := os.StartProcess(path, argv, attr)
	if err != nil {
		return 0, nil, err
	}
	id = proc.Pid
	held, err = pidfd.Born(proc, fd)
	return id, held, err
}

// inDir is a directory for a child to be started in, which goes there before it loses the descriptor.
func inDir(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// start starts a program as os.StartProcess does, in the directory dir and born into the group, where they are not nil.
// held is the child's pidfd.
func (f *forker) start(path string, argv, env []string, files []*os.File, dir, group *os.File,
	sys syscall.SysProcAttr,
) (id int, held *os.File, err error) {
	var rights []int
	for _, file := range slices.Concat(files, []*os.File{dir, group}) {
		if file != nil {
			rights = append(rights, int(file.Fd()))
		}
	}
	sys.UseCgroupFD = group != nil
	b := birth{path: path, argv: argv, env: env, dir: dir != nil, sys: sys, done: make(chan born, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	err = unix.Sendmsg(f.sock, []byte{0}, unix.UnixRights(rights...), nil, 0)
	runtime.KeepAlive(files)
	if err != nil {
		return 0, nil, fmt.Errorf("hand a child's descriptors over: %w", err)
	}
	f.births <- b
	child := <-b.done
	if child.err != nil {
		return 0, nil, child.err
	}
	got, err := receive(f.sock, 1)
	if err == nil {
		held, err = pidfd.Adopt(got[0])
	}
	if err != nil {
		end(child.pid)
		return 0, nil, fmt.Errorf("take the pidfd of a child: %w", err)
	}
	return child.pid, held, nil
}

// end ends a child that was just started, and has no pidfd here by which somebody else would.
func end(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL)
	_, _ = unix.Wait4(pid, nil, 0, nil)
}

// run is the thread. It is not the first of the process, whose table is the one that /proc/self/fd shows.
func (f *forker) run(sock int, ready chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() { // locked, it is not given to another
		another := make(chan error)
		go f.run(sock, another)
		err := <-another
		runtime.UnlockOSThread()
		ready <- err
		return
	}
	unshared, sock, err := apart(sock)
	if err != nil && !unshared {
		runtime.UnlockOSThread() // it is as it was
	}
	ready <- err
	if err != nil {
		return
	}
	for b := range f.births {
		pid, err := b.start(sock)
		b.done <- born{pid, err}
	}
}

// start starts the child from what came by the socket.
func (b *birth) start(sock int) (pid int, err error) {
	got, err := receive(sock, -1)
	defer func() {
		for _, fd := range got {
			unix.Close(fd)
		}
	}()
	if err != nil {
		return 0, err
	}
	fd := -1
	b.sys.PidFD = &fd
	attr := &syscall.ProcAttr{Env: b.env, Sys: &b.sys}
	files := got
	if b.sys.UseCgroupFD {
		b.sys.CgroupFD, files = files[len(files)-1], files[:len(files)-1]
	}
	if b.dir {
		attr.Dir, files = inDir(files[len(files)-1]), files[:len(files)-1]
	}
	for _, fd := range files {
		attr.Files = append(attr.Files, uintptr(fd))
	}
	if pid, err = syscall.ForkExec(b.path, b.argv, attr); err != nil {
		return 0, &os.PathError{Op: "fork/exec", Path: b.path, Err: err}
	}
	if fd < 0 {
		end(pid)
		return 0, pidfd.ErrNone
	}
	defer unix.Close(fd)
	if err = unix.Sendmsg(sock, []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
		end(pid)
		return 0, fmt.Errorf("hand the pidfd of a child over: %w", err)
	}
	return pid, nil
}

// receive takes descriptors from a socket: want, or -1 for as many as come.
func receive(sock, want int) (fds []int, err error) {
	const most = 32
	var data [1]byte
	oob := make([]byte, unix.CmsgSpace(most*4))
	n, flags, err := 0, 0, error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		_, n, flags, _, err = unix.Recvmsg(sock, data[:], oob, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		more, err := unix.ParseUnixRights(&m)
		if err != nil {
			return fds, err
		}
		fds = append(fds, more...)
	}
	if flags&unix.MSG_CTRUNC != 0 || want >= 0 && len(fds) != want {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return nil, unix.EMFILE
	}
	return fds, nil
}

// apart gives this thread a table of descriptors of its own, in which it keeps sock, under a low number, what a child
// inherits, and what the runtime wakes its poller by, from whichever thread it happens to.
func apart(sock int) (unshared bool, low int, err error) {
	r, w, err := os.Pipe() // the poller is there then
	if err != nil {
		return false, -1, err
	}
	r.Close()
	w.Close()
	if err = unix.CloseRange(math.MaxUint32, math.MaxUint32, unix.CLOSE_RANGE_UNSHARE); err != nil {
		return false, -1, fmt.Errorf("give a thread its own descriptors: %w", err)
	}
	keep, err := kept()
	if err != nil {
		return true, -1, err
	}
	closeAllBut(append(keep, sock))
	if low, err = unix.FcntlInt(uintptr(sock), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return true, -1, err
	}
	if low < sock { // each fork copies a table up to its highest number
		unix.Close(sock)
		return true, low, nil
	}
	unix.Close(low)
	return true, sock, nil
}

// closeAllBut closes all other descriptors.
func closeAllBut(keep []int) {
	slices.Sort(keep)
	from := 0
	for _, fd := range keep {
		if from < fd {
			_ = unix.CloseRange(uint(from), uint(fd-1), 0)
		}
		from = fd + 1
	}
	_ = unix.CloseRange(uint(from), math.MaxUint32, 0)
}

// kept are this thread's descriptors that are not closed at exec, and those that the runtime's poller may be: another
// of that kind does no harm.
func kept() (fds []int, err error) {
	const table = "/proc/thread-self/fd"
	entries, err := os.ReadDir(table)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			continue // that of the directory itself
		}
		to, _ := os.Readlink(table + "/" + e.Name())
		if flags&unix.FD_CLOEXEC == 0 || strings.HasSuffix(to, "[eventpoll]") || strings.HasSuffix(to, "[eventfd]") {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}

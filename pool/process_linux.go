package pool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

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
	outputs []*output
	copying sync.WaitGroup
	tail    tail

	mu     sync.Mutex
	group  *cgroup.Group
	reaped bool
}

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
		return nil, err
	}
	return p, nil
}

// open makes the parent's side and returns the files that the child inherits, in the order of its descriptors.
func (p *osProcess) open(spec spawnSpec) (files []*os.File, err error) {
	fail := func(what string, err error) ([]*os.File, error) { return files, fmt.Errorf("%s: %w", what, err) }
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fail("open "+os.DevNull, err)
	}
	files = append(files, null)
	if files, err = p.openOutput(files, nil, spec.stdout); err != nil {
		return fail("make the stdout pipe", err)
	}
	if files, err = p.openOutput(files, &p.tail, spec.stderr); err != nil {
		return fail("make the stderr pipe", err)
	}
	if p.tasks, files, err = socketPair(files, "tasks"); err != nil {
		return fail("make the task socket", err)
	}
	if p.ctl, files, err = socketPair(files, "control"); err != nil {
		return fail("make the control socket", err)
	}
	if p.rawTask, err = p.tasks.SyscallConn(); err != nil {
		return fail("task socket", err)
	}
	if p.rawCtl, err = p.ctl.SyscallConn(); err != nil {
		return fail("control socket", err)
	}
	for _, m := range []struct {
		name string
		size int
		mem  *[]byte
		seal int
	}{
		{"page", pageSize, &p.board.mem, 0},
		{"down", int(spec.maxPayload) + arenaSlack, &p.down, unix.F_SEAL_FUTURE_WRITE},
		{"up", int(spec.maxPayload) + arenaSlack, &p.up, 0},
	} {
		f, err := shared(m.name, m.size, m.mem, m.seal)
		if err != nil {
			return fail("make shared memory", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// openOutput appends the child's end of an output pipe, or the null device if nobody wants what it would carry.
func (p *osProcess) openOutput(files []*os.File, keep *tail, sink func([]byte)) ([]*os.File, error) {
	if keep == nil && sink == nil {
		return append(files, files[0]), nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return files, err
	}
	o := &output{pipe: r, tail: keep, sink: sink}
	p.outputs = append(p.outputs, o)
	p.copying.Go(o.copy)
	return append(files, w), nil
}

// arenaSlack is room for what an encoding adds to a payload of the largest size.
const arenaSlack = 1 << 12

// socketPair appends the child's end, which is blocking, to files and returns the parent's.
func socketPair(files []*os.File, name string) (*os.File, []*os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, files, err
	}
	files = append(files, os.NewFile(uintptr(fds[1]), name))
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		return nil, files, err
	}
	return os.NewFile(uintptr(fds[0]), name), files, nil
}

// shared makes a sealed memfd and maps it: sealed, because a worker that truncates it would kill the parent with
// SIGBUS at its next access (memfd_create(2), fcntl(2) "File Sealing"). The size is only a bound: memory is taken
// page by page when it is first touched.
func shared(name string, size int, mem *[]byte, seal int) (*os.File, error) {
	fd, err := unix.MemfdCreate("respawn-"+name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		f.Close()
		return nil, fmt.Errorf("ftruncate: %w", err)
	}
	m, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("mmap: %w", err)
	}
	*mem = m
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|seal|unix.F_SEAL_SEAL); err != nil {
		f.Close()
		return nil, fmt.Errorf("F_ADD_SEALS: %w", err)
	}
	return f, nil
}

// exec starts the child in a process group of its own.
func (p *osProcess) exec(spec spawnSpec, files []*os.File) error {
	pidfd := -1
	proc, err := os.StartProcess("/proc/self/exe", []string{"respawn-worker " + spec.worker}, &os.ProcAttr{
		Dir:   spec.dir,
		Env:   workerEnv(os.Environ(), spec),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd},
	})
	if err != nil {
		return err
	}
	p.id = proc.Pid
	if pidfd < 0 {
		_ = proc.Kill()
		_, _ = proc.Wait()
		return errors.New("this kernel gives no pidfd: Linux 5.4 or later is needed")
	}
	_ = proc.Release() // reaped here, by pid, while the pidfd says that it is still ours
	if err := unix.SetNonblock(pidfd, true); err != nil {
		return err
	}
	p.pidfd = os.NewFile(uintptr(pidfd), "pidfd")
	return nil
}

// workerEnv is the environment of a worker: the parent's without markers, Config.Env, and ours.
func workerEnv(base []string, spec spawnSpec) []string {
	env := make([]string, 0, len(base)+len(spec.env)+2)
	for _, kv := range base {
		if !bytes.HasPrefix([]byte(kv), []byte(envPool+"=")) {
			env = append(env, kv)
		}
	}
	env = append(env, spec.env...)
	return append(env, envWorker+"="+spec.worker, envPool+"="+spec.pool)
}

func (p *osProcess) pid() int                  { return p.id }
func (p *osProcess) page() page                { return p.board }
func (p *osProcess) arenas() (down, up []byte) { return p.down, p.up }

// receive stays in one call of RawConn.Read: when a read came back short the socket is empty, and waiting at once saves
// the read that would say so. The poller is edge-triggered and remembers what arrives in between.
func (p *osProcess) receive(space func() []byte, got func(n int) bool) error {
	var end error
	err := p.rawTask.Read(func(fd uintptr) bool {
		for {
			b := space()
			n, err := unix.Read(int(fd), b)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			case err != nil || n == 0:
				end = errors.Join(io.EOF, err)
				return true
			case !got(n):
				return true
			case n < len(b):
				return false
			}
		}
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errReadStopped
	}
	return errors.Join(end, err)
}

func (p *osProcess) stopReading() { _ = p.tasks.SetReadDeadline(time.Unix(1, 0)) }

// drain goes around the deadline, which would hide bytes that are buffered already.
func (p *osProcess) drain(b []byte) (n int) {
	_ = p.rawTask.Control(func(fd uintptr) {
		for {
			var err error
			n, err = unix.Read(int(fd), b)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	return max(n, 0) // EAGAIN, ECONNRESET: nothing left
}

func (p *osProcess) tryWrite(b []byte) (written int, err error) {
	ctlErr := p.rawTask.Control(func(fd uintptr) {
		for written < len(b) && err == nil {
			var n int
			n, err = unix.Write(int(fd), b[written:])
			written += max(n, 0)
			if errors.Is(err, unix.EINTR) {
				err = nil
			}
		}
	})
	if errors.Is(err, unix.EAGAIN) {
		err = nil
	}
	return written, errors.Join(err, ctlErr)
}

func (p *osProcess) write(b []byte) error {
	_, err := p.tasks.Write(b)
	return err
}

func (p *osProcess) hangUp() { _ = p.tasks.SetWriteDeadline(time.Unix(1, 0)) }

func (p *osProcess) control(m controlMessage) {
	b := m.encode()
	_ = p.rawCtl.Control(func(fd uintptr) {
		_ = unix.Sendto(int(fd), b[:], unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil)
	})
}

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
	_ = unix.Kill(-p.id, unix.SIGKILL)
	_ = p.signal(unix.SIGKILL) // a worker may have left its group
	if p.group != nil {
		_ = p.group.Kill()
	}
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

func (p *osProcess) wait() waitStatus {
	_ = awaitExit(p.pidfd)
	p.kill() // the leader is a zombie now, so its group's number is still ours
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
	if status.Signaled() {
		st.signal = status.Signal()
	}
	for _, o := range p.outputs {
		o.stop()
	}
	p.copying.Wait()
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
	if p.group != nil {
		_ = p.group.Remove()
	}
}

func closeAll(files []*os.File) {
	for i, f := range files {
		if i == 0 || f != files[0] {
			f.Close()
		}
	}
}

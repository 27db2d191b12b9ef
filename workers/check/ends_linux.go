package check

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ends are the pool's ends of what a worker is started with.
type ends struct {
	tasks, control *os.File
	tickets        *os.File // the writing end
	in             *os.File // a reading end of our own, which does not block
	down, up       []byte   // shared memory
}

// newEnds makes them, and the worker's, in the order of its descriptors from 3 on.
func newEnds() (ours ends, theirs []*os.File, err error) {
	for _, f := range []**os.File{&ours.tasks, &ours.control} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return ours, theirs, fmt.Errorf("make a socket pair: %w", err)
		}
		theirs = append(theirs, os.NewFile(uintptr(pair[1]), "the worker's end"))
		if err := unix.SetNonblock(pair[0], true); err != nil {
			return ours, theirs, err
		}
		*f = os.NewFile(uintptr(pair[0]), "the pool's end")
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return ours, theirs, fmt.Errorf("make a pipe: %w", err)
	}
	// while it blocks, or passing it on would make it block
	theirs = append(theirs, os.NewFile(uintptr(pipe[0]), "tickets"))
	ours.tickets = os.NewFile(uintptr(pipe[1]), "tickets")
	again, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", pipe[0]), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return ours, theirs, err
	}
	ours.in = os.NewFile(uintptr(again), "tickets")
	if err := unix.SetNonblock(pipe[0], true); err != nil {
		return ours, theirs, err
	}
	for _, m := range []struct {
		name string
		mem  *[]byte
		seal int
	}{{"down", &ours.down, unix.F_SEAL_FUTURE_WRITE}, {"up", &ours.up, 0}} {
		f, err := shared(m.name, m.mem, m.seal)
		if err != nil {
			return ours, theirs, err
		}
		theirs = append(theirs, f)
	}
	return ours, theirs, nil
}

// shared makes a memfd that cannot be resized, and maps it.
func shared(name string, mem *[]byte, seal int) (*os.File, error) {
	const size = maxShared + 4<<10
	fd, err := unix.MemfdCreate("respawn-"+name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err = unix.Ftruncate(fd, size); err == nil {
		*mem, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|seal|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("make shared memory: %w", err)
	}
	return f, nil
}

// left is how many bytes are in the pipe of tickets.
func (e *ends) left() (n int, err error) {
	raw, err := e.in.SyscallConn()
	if err != nil {
		return 0, err
	}
	ctlErr := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n, errors.Join(ctlErr, err)
}

// unread is how much of what was written to the task socket the worker has not read.
func (e *ends) unread() (n int) {
	if raw, err := e.tasks.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
	}
	return n
}

// drain takes out what is left.
func (e *ends) drain() (b []byte, err error) {
	raw, err := e.in.SyscallConn()
	if err != nil {
		return nil, err
	}
	b = make([]byte, 1<<16)
	n := 0
	ctlErr := raw.Control(func(fd uintptr) { n, err = unix.Read(int(fd), b) })
	if errors.Is(err, unix.EAGAIN) {
		err = nil
	}
	return b[:max(n, 0)], errors.Join(ctlErr, err)
}

func (e *ends) close() {
	for _, f := range []*os.File{e.tasks, e.control, e.tickets, e.in} {
		if f != nil {
			f.Close()
		}
	}
	for _, m := range [][]byte{e.down, e.up} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
	e.down, e.up = nil, nil
}

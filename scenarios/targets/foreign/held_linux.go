package foreign

import (
	"errors"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Held is a process that is held by a pidfd: as long as it has not exited, its number is its own. Release it.
type Held struct {
	pidfd  *os.File
	exited chan struct{}
	once   sync.Once
}

// Hold takes hold of a process. What was known of the number before has to be looked at again afterwards.
func Hold(pid int) (*Held, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	h := &Held{pidfd: os.NewFile(uintptr(fd), "pidfd"), exited: make(chan struct{})}
	go func() {
		if awaitExit(h.pidfd) == nil {
			close(h.exited)
		}
	}()
	return h, nil
}

// Exited is closed when the process has ended, reaped or not; never after Release.
func (h *Held) Exited() <-chan struct{} { return h.exited }

// Gone tells whether the process has ended. It asks the kernel: Exited may be closed later.
func (h *Held) Gone() bool {
	select {
	case <-h.exited:
		return true
	default:
	}
	raw, err := h.pidfd.SyscallConn()
	if err != nil {
		return false
	}
	gone := false
	_ = raw.Control(func(fd uintptr) {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		gone = n > 0
	})
	return gone
}

// Signal sends it a signal. Errors: ESRCH for one that has ended; os.ErrClosed after Release.
func (h *Held) Signal(signal unix.Signal) error {
	raw, err := h.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), signal, nil, 0) }); err != nil {
		return err
	}
	return sent
}

// Release lets go of the process. Releasing twice is fine.
func (h *Held) Release() { h.once.Do(func() { h.pidfd.Close() }) }

// awaitExit blocks until the process has ended: its pidfd is readable then (pidfd_open(2)). The error says that the pidfd
// was closed before.
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

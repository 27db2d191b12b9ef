package foreign

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidfd"
)

// Held is a process that is held by a pidfd: as long as it has not exited, its number is its own. Release it.
type Held struct {
	pidfd  *os.File
	exited chan struct{}
	once   sync.Once
}

// Hold takes hold of a process. What was known of the number before has to be looked at again afterwards.
func Hold(pid int) (*Held, error) {
	f, err := pidfd.Open(pid)
	if err != nil {
		return nil, err
	}
	h := &Held{pidfd: f, exited: make(chan struct{})}
	go func() {
		if pidfd.Await(h.pidfd) == nil {
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
	return pidfd.Ended(h.pidfd)
}

// Status is how the process ended, as soon as it has been reaped; ok is false before that, and where the kernel does
// not tell whoever holds it (before Linux 6.15).
func (h *Held) Status() (status syscall.WaitStatus, ok bool) { return pidfd.Exit(h.pidfd) }

// Signal sends it a signal. Errors: ESRCH for one that has ended; os.ErrClosed after Release.
func (h *Held) Signal(signal unix.Signal) error { return pidfd.Signal(h.pidfd, signal, 0) }

// Release lets go of the process. Releasing twice is fine.
func (h *Held) Release() { h.once.Do(func() { h.pidfd.Close() }) }

package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// Send sends the victim a signal through its pidfd. A success proves nothing: zombies accept signals too. Errors:
// ErrGone; *RefusedError without the privilege.
func (v *Victim) Send(sig syscall.Signal) error { return SignalProcess(v.pidfd, v.PID, sig) }

// SignalProcess is Send for a process that HoldProcess holds.
func SignalProcess(held *os.File, pid int, sig syscall.Signal) error {
	err := pidfd.Signal(held, sig, 0)
	switch {
	case errors.Is(err, os.ErrClosed):
		return ErrGone
	case errors.Is(err, unix.ESRCH):
		return ErrGone
	case errors.Is(err, unix.EPERM):
		return Refuse("no privilege to signal pid %d: run as its user or as root", pid)
	}
	return err
}

// Limit sets a limit of the victim's process, nil to leave it, and returns what it was. The call takes a number, not a
// pidfd: a process that the number has passed to gets its own limit back. Errors: ErrGone.
func (v *Victim) Limit(resource int, to *unix.Rlimit) (was unix.Rlimit, err error) {
	err = unix.Prlimit(v.PID, resource, to, &was)
	if v.Alive() { // then it was its number
		return was, err
	}
	if err == nil && to != nil {
		_ = unix.Prlimit(v.PID, resource, &was, nil)
	}
	return unix.Rlimit{}, ErrGone
}

// ExitInfo is the victim's wait status as the kernel remembers it for whoever holds a pidfd, whosever child it was. It
// is there once the process has been reaped, on Linux 6.15 and later; ok is false without it.
func (v *Victim) ExitInfo() (status syscall.WaitStatus, ok bool) {
	return pidfd.Exit(v.pidfd)
}

// hasExitInfo tells whether this kernel gives ExitInfo at all.
var hasExitInfo = sync.OnceValue(func() bool {
	var uts unix.Utsname
	if unix.Uname(&uts) != nil {
		return false
	}
	var major, minor int
	_, err := fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &major, &minor)
	return err == nil && (major > 6 || major == 6 && minor >= 15)
})

// Stop sends SIGSTOP and waits until no thread of the victim runs any more.
func (v *Victim) Stop(ctx context.Context) error {
	if err := v.Send(unix.SIGSTOP); err != nil {
		return err
	}
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		stopped, err := procfs.Stopped(v.PID)
		switch {
		case v.Gone() || pidfd.Ended(v.pidfd):
			return ErrGone
		case stopped:
			return nil
		case err != nil:
			return err
		}
		if err := wait.For(ctx, pause); err != nil {
			return err
		}
	}
}

// Resume sends SIGCONT. A victim that is gone needs none.
func (v *Victim) Resume() error {
	if err := v.Send(unix.SIGCONT); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	return nil
}

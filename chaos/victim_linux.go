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

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

func openPidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL): // EINVAL: the number of a thread
		return nil, ErrGone
	case err != nil:
		return nil, refuse("this host gives no pidfd: %v", err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// awaitPidfd blocks until the process has ended: its pidfd is readable then (pidfd_open(2)).
func awaitPidfd(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(readable)
}

func pidfdReadable(f *os.File) (yes bool) {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) { yes = readable(fd) })
	return yes
}

func readable(fd uintptr) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(polled, 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// Send sends the victim a signal through its pidfd. A success proves nothing: zombies accept signals too. Errors:
// ErrGone; *RefusedError without the privilege.
func (v *Victim) Send(sig syscall.Signal) error {
	raw, err := v.pidfd.SyscallConn()
	if err != nil {
		return ErrGone
	}
	ctlErr := raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	switch {
	case ctlErr != nil:
		return ctlErr
	case errors.Is(err, unix.ESRCH):
		return ErrGone
	case errors.Is(err, unix.EPERM):
		return refuse("no privilege to signal pid %d: run as its user or as root", v.PID)
	}
	return err
}

// limit sets a limit of the victim's process, nil to leave it, and returns what it was. The call takes a number, not a pidfd:
// a process that the number has passed to gets its own limit back. Errors: ErrGone.
func (v *Victim) limit(resource int, to *unix.Rlimit) (was unix.Rlimit, err error) {
	err = unix.Prlimit(v.PID, resource, to, &was)
	if v.alive() { // then it was its number
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
	raw, err := v.pidfd.SyscallConn()
	if err != nil {
		return 0, false
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	_ = raw.Control(func(fd uintptr) { err = unix.IoctlPidfdInfo(int(fd), &info) })
	return syscall.WaitStatus(uint32(info.Exit_code)), err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0
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

// stop sends SIGSTOP and waits until no thread of the victim runs any more.
func (v *Victim) stop(ctx context.Context) error {
	if err := v.Send(unix.SIGSTOP); err != nil {
		return err
	}
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		stopped, err := procfs.Stopped(v.PID)
		switch {
		case v.Gone() || pidfdReadable(v.pidfd):
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

// resume sends SIGCONT. A victim that is gone needs none.
func (v *Victim) resume() error {
	if err := v.Send(unix.SIGCONT); err != nil && !errors.Is(err, ErrGone) {
		return err
	}
	return nil
}

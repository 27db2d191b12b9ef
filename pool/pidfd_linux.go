package pool

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A child is signalled, awaited and reaped by its pidfd and not by its number, since others in this program may reap it too:
// signal.Ignore(SIGCHLD) does it at each exit, and a wait for any child whenever it comes by. From then on the number may be
// a stranger's (docs/decisions/0033).

// withFd calls fn with the raw descriptor of a pidfd.
func withFd(pidfd *os.File, fn func(fd int)) error {
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { fn(int(fd)) })
}

// signalPidfd is pidfd_send_signal(2).
func signalPidfd(pidfd *os.File, sig syscall.Signal, flags int) (err error) {
	ctlErr := withFd(pidfd, func(fd int) { err = unix.PidfdSendSignal(fd, sig, nil, flags) })
	return errors.Join(err, ctlErr)
}

// killGroup kills the process group of that number, which the process that signal reaches leads or led. From Linux 6.9 on
// a pidfd names the group even when the leader is reaped and its number somebody else's. Before, the number is the group's own
// while the leader is not reaped; after that it is only if some member carries the marker, since a number is not given out
// again while a group has it.
func killGroup(pid int, signal func(sig syscall.Signal, flags int) error, marker []byte) {
	err := signal(unix.SIGKILL, unix.PIDFD_SIGNAL_PROCESS_GROUP)
	if err == nil || errors.Is(err, unix.ESRCH) {
		return
	}
	if signal(0, 0) == nil || groupHas(pid, marker) {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
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

// awaitReapable blocks until the child, which has exited, can be reaped, or has been. While somebody traces it and does not
// wait for it, a wait for it blocks (ptrace(2)), which must not be with a lock held.
func awaitReapable(pidfd *os.File, pid int) {
	if _, _, err := waitPidfd(pidfd, unix.WEXITED|unix.WNOWAIT); !errors.Is(err, unix.EAGAIN) {
		return
	}
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

// childInfo is the siginfo_t of waitid(2).
type childInfo struct {
	_      [2]int32
	code   int32
	_      int32
	pid    int32
	_      uint32
	status int32
	_      [100]byte
}

// The codes of a childInfo (sigaction(2)).
const cldExited = 1

// waitPidfd is waitid(2) for one child. The error is ECHILD when somebody else has reaped it, and EAGAIN when a non-blocking
// pidfd's has nothing to tell.
func waitPidfd(pidfd *os.File, options int) (info childInfo, usage unix.Rusage, err error) {
	ctlErr := withFd(pidfd, func(fd int) {
		for {
			err = unix.Waitid(unix.P_PIDFD, fd, (*unix.Siginfo)(unsafe.Pointer(&info)), options, &usage)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	return info, usage, errors.Join(err, ctlErr)
}

// reapPidfd takes the status of a child that has exited. When somebody else has reaped it, the kernel still tells how it ended
// from Linux 6.15 on, but not what it used.
func reapPidfd(pidfd *os.File) waitStatus {
	info, usage, err := waitPidfd(pidfd, unix.WEXITED)
	if err != nil {
		return exitOfReaped(pidfd)
	}
	st := waitStatus{
		code:   int(info.status),
		user:   time.Duration(usage.Utime.Nano()),
		system: time.Duration(usage.Stime.Nano()),
		maxRSS: Bytes(usage.Maxrss) * KiB,
	}
	if info.code != cldExited {
		st.code, st.signal = -1, syscall.Signal(info.status)
	}
	return st
}

// exitOfReaped is how a process ended that has been reaped; a variable, so that tests can do as an older kernel does.
var exitOfReaped = func(pidfd *os.File) waitStatus {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := unix.ENOTSUP
	_ = withFd(pidfd, func(fd int) {
		if e := unix.IoctlPidfdInfo(fd, &info); e == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
			err = 0
		}
	})
	if err != 0 {
		return waitStatus{code: unknownCode}
	}
	status := unix.WaitStatus(info.Exit_code)
	st := waitStatus{code: status.ExitStatus()}
	if status.Signaled() {
		st.signal = status.Signal()
	}
	return st
}

// stoppedBy is the signal that has stopped the child; 0 if it runs or is dead.
func stoppedBy(pidfd *os.File) syscall.Signal {
	info, _, err := waitPidfd(pidfd, unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT)
	if err != nil || info.pid == 0 {
		return 0
	}
	return syscall.Signal(info.status)
}

// reapGroup reaps what is left of the process group of a child that is dead, killed and reaped. Its other members are handed
// to this process when it is the init of its container, or a subreaper (prctl(2)), and to nobody else who would. They are
// as good as dead; one that takes long is left to a goroutine.
func reapGroup(pgid int) {
	var adopts int32
	_ = unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&adopts)), 0, 0, 0)
	if os.Getpid() != 1 && adopts == 0 {
		return
	}
	reap := func(limit time.Duration) (gone bool) {
		for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
			var info childInfo
			err := unix.Waitid(unix.P_PGID, pgid, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG, nil)
			switch {
			case errors.Is(err, unix.ECHILD):
				return true
			case err == nil && info.pid == 0:
				time.Sleep(time.Millisecond)
			}
		}
		return false
	}
	if !reap(50 * time.Millisecond) {
		go reap(10 * time.Second)
	}
}

// openSelf opens a pidfd of this process for a child to know it by: the end of a pipe or socket does not tell that this process
// is gone while somebody else holds it too, such as a fork that has not called exec.
func openSelf() (*os.File, error) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return os.NewFile(uintptr(fd), "host"), nil
}

// readBeside reads what comes, until the process of the pidfd is gone: that is an end like any other.
func readBeside(fd, host int, b []byte) (int, error) {
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(host), Events: unix.POLLIN}}
		_, err := unix.Poll(polled, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil && polled[0].Revents == 0 && polled[1].Revents&unix.POLLIN != 0:
			return 0, nil
		default:
			return readFull(fd, b)
		}
	}
}

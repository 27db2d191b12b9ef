package pidfd

import (
	"errors"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Open takes hold of a process. What was known of the number before has to be looked at again afterwards. The error is
// ESRCH when there is none, and EINVAL for the number of a thread.
func Open(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return Adopt(fd)
}

// Self is this process's own, for a child to know it by: the end of a pipe or socket does not tell that this process is
// gone while somebody else holds it too, such as a fork that has not called exec.
func Self() (*os.File, error) {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return nil, os.NewSyscallError("pidfd_open", err)
	}
	return os.NewFile(uintptr(fd), "host"), nil
}

// Born is the pidfd of a child that was just started, as syscall.SysProcAttr.PidFD gives it. A child without one is
// killed and reaped, and the error is ErrNone; else proc is released.
func Born(proc *os.Process, fd int) (*os.File, error) {
	if fd < 0 {
		_ = proc.Kill()
		_, _ = proc.Wait()
		return nil, ErrNone
	}
	_ = proc.Release()
	return Adopt(fd)
}

// Adopt makes a file of a pidfd that the poller can wait for: a blocked Await is a goroutine then, and not a thread. It
// closes one of which it cannot.
func Adopt(fd int) (*os.File, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// control calls fn with the raw descriptor.
func control(f *os.File, fn func(fd int)) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { fn(int(fd)) })
}

// Signal is pidfd_send_signal(2). It succeeds for a zombie too.
func Signal(f *os.File, sig syscall.Signal, flags int) (err error) {
	ctlErr := control(f, func(fd int) { err = unix.PidfdSendSignal(fd, sig, nil, flags) })
	return errors.Join(err, ctlErr)
}

// SignalIf signals the process of that number while it is held, if it is still the one that was meant, which still
// looks at once more then: the error is ErrEnded when it says no.
func SignalIf(pid int, sig syscall.Signal, still func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !still() {
		return ErrEnded
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// KillGroup kills the process group of that number, which the process that signal reaches leads or led. From Linux 6.9
// on a pidfd names the group even when the leader is reaped and its number somebody else's. Before, the number is the
// group's own while the leader is not reaped; after that it is only if ours finds a member of it, since a number is not
// given out again while a group has it.
func KillGroup(pid int, signal func(sig syscall.Signal, flags int) error, ours func() bool) {
	err := signal(unix.SIGKILL, unix.PIDFD_SIGNAL_PROCESS_GROUP)
	if err == nil || errors.Is(err, unix.ESRCH) {
		return
	}
	if pid > 1 && (signal(0, 0) == nil || ours()) {
		_ = unix.Kill(-pid, unix.SIGKILL)
	}
}

// Await blocks until the process has ended, reaped or not: its pidfd is readable then. The error says that f was
// closed.
func Await(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(readable)
}

// Ended tells whether the process has ended.
func Ended(f *os.File) (yes bool) {
	_ = control(f, func(fd int) { yes = readable(uintptr(fd)) })
	return yes
}

func readable(fd uintptr) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(polled, 0)
		if !errors.Is(err, unix.EINTR) {
			return n > 0 || err != nil
		}
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

// cldExited is the code of a childInfo that has an exit code (sigaction(2)).
const cldExited = 1

// wait is waitid(2) for one child. The error is ECHILD when somebody else has reaped it, and EAGAIN when there is
// nothing to tell yet.
func wait(f *os.File, options int) (info childInfo, usage unix.Rusage, err error) {
	ctlErr := control(f, func(fd int) {
		for {
			err = unix.Waitid(unix.P_PIDFD, fd, (*unix.Siginfo)(unsafe.Pointer(&info)), options, &usage)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	return info, usage, errors.Join(err, ctlErr)
}

// ended is what a childInfo says of an end.
func (i *childInfo) ended() Status {
	if i.code == cldExited {
		return Status{Code: int(i.status)}
	}
	return Status{Code: -1, Signal: syscall.Signal(i.status)}
}

// AwaitReapable blocks until the child, which has ended, can be reaped, or has been. While somebody traces it and does
// not wait for it, a wait for it blocks (ptrace(2)), which must not be with a lock held.
func AwaitReapable(f *os.File, pid int) {
	if _, _, err := wait(f, unix.WEXITED|unix.WNOWAIT); !errors.Is(err, unix.EAGAIN) {
		return
	}
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

// Look is how a child has ended that is left for somebody to reap.
func Look(f *os.File) (Status, error) {
	info, _, err := wait(f, unix.WEXITED|unix.WNOWAIT)
	return info.ended(), err
}

// Reap takes the status of a child that has ended. When somebody else has reaped it, the kernel still tells how it
// ended from Linux 6.15 on, but not what it used.
func Reap(f *os.File) Status {
	info, usage, err := wait(f, unix.WEXITED)
	if err != nil {
		return reapedByOthers(f)
	}
	st := info.ended()
	st.User, st.System = time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
	st.MaxRSS = usage.Maxrss << 10
	return st
}

func reapedByOthers(f *os.File) Status {
	status, ok := Exit(f)
	switch {
	case !ok:
		return Status{Code: Unknown}
	case status.Signaled():
		return Status{Code: -1, Signal: status.Signal()}
	}
	return Status{Code: status.ExitStatus()}
}

// Exit is the wait status that the kernel remembers for whoever holds a pidfd, whosever child the process was. It is
// there once the process has been reaped, on Linux 6.15 and later; ok is false without it. A variable, so that tests
// can do as an older kernel does.
var Exit = func(f *os.File) (status syscall.WaitStatus, ok bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := control(f, func(fd int) {
		ok = unix.IoctlPidfdInfo(fd, &info) == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0
	})
	return syscall.WaitStatus(uint32(info.Exit_code)), ok && err == nil
}

// StoppedBy is the signal that has stopped the child; 0 if it runs or is dead.
func StoppedBy(f *os.File) syscall.Signal {
	info, _, err := wait(f, unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT)
	if err != nil || info.pid == 0 {
		return 0
	}
	return syscall.Signal(info.status)
}

// ReapGroup reaps what is left of the process group of a child that is dead, killed and reaped. Its other members are
// handed to this process when it is the init of its container, or a subreaper (prctl(2)), and to nobody else who would.
// They are as good as dead; one that takes long is left to a goroutine.
func ReapGroup(pgid int) {
	var adopts int32
	_ = unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&adopts)), 0, 0, 0)
	if os.Getpid() != 1 && adopts == 0 {
		return
	}
	reap := func(limit time.Duration) (gone bool) {
		for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
			var info childInfo
			err := unix.Waitid(unix.P_PGID, pgid, (*unix.Siginfo)(unsafe.Pointer(&info)),
				unix.WEXITED|unix.WNOHANG, nil)
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

// ReadBeside reads what comes from a descriptor, until the process of the pidfd is gone: that is an end like any other.
func ReadBeside(fd, host int, b []byte) (int, error) {
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(host), Events: unix.POLLIN}}
		_, err := unix.Poll(polled, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err == nil && polled[0].Revents == 0 && polled[1].Revents&unix.POLLIN != 0:
			return 0, nil
		}
		if n, err := unix.Read(fd, b); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

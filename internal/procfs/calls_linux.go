package procfs

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// calls are the system calls of all architectures, and those that only this one has.
var calls = join(map[string]int{
	"read": unix.SYS_READ, "write": unix.SYS_WRITE, "readv": unix.SYS_READV, "writev": unix.SYS_WRITEV,
	"pread64": unix.SYS_PREAD64, "recvfrom": unix.SYS_RECVFROM, "recvmsg": unix.SYS_RECVMSG, "sendto": unix.SYS_SENDTO,
	"sendmsg": unix.SYS_SENDMSG, "accept": unix.SYS_ACCEPT, "accept4": unix.SYS_ACCEPT4, "connect": unix.SYS_CONNECT,
	"ppoll": unix.SYS_PPOLL, "pselect6": unix.SYS_PSELECT6, "epoll_pwait": unix.SYS_EPOLL_PWAIT,
	"futex": unix.SYS_FUTEX, "nanosleep": unix.SYS_NANOSLEEP, "clock_nanosleep": unix.SYS_CLOCK_NANOSLEEP,
	"wait4": unix.SYS_WAIT4, "waitid": unix.SYS_WAITID, "flock": unix.SYS_FLOCK,
	"fcntl": unix.SYS_FCNTL, "semop": unix.SYS_SEMOP, "semtimedop": unix.SYS_SEMTIMEDOP, "msgrcv": unix.SYS_MSGRCV,
	"msgsnd": unix.SYS_MSGSND, "mq_timedreceive": unix.SYS_MQ_TIMEDRECEIVE, "rt_sigtimedwait": unix.SYS_RT_SIGTIMEDWAIT,
	"rt_sigsuspend": unix.SYS_RT_SIGSUSPEND, "openat": unix.SYS_OPENAT, "fsync": unix.SYS_FSYNC,
	"io_getevents": unix.SYS_IO_GETEVENTS,
}, ownCalls)

func join(a, b map[string]int) map[string]int {
	for name, n := range b {
		a[name] = n
	}
	return a
}

// InCall tells whether a thread of the process is in the system call of that name, one of Calls; of a process that is
// stopped, whether a thread had last entered it, which may have completed. The error is fs.ErrPermission where this
// process must not look.
func InCall(pid int, name string) (bool, error) {
	number, known := calls[name]
	if !known {
		return false, errors.New("there is no system call " + strconv.Quote(name) + " in which a process waits")
	}
	tasks, err := os.ReadDir(file(pid, "task"))
	if err != nil {
		return false, gone(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(file(pid, "task/"+task.Name()+"/syscall"))
		switch {
		case errors.Is(err, os.ErrPermission):
			return false, err
		case err != nil:
			continue // a thread that ended
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ") // "running" while it is in none
		if n, err := strconv.Atoi(first); err == nil && n == number {
			return true, nil
		}
	}
	return false, nil
}

package refuse

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Here calls do on a thread of its own on which the kernel answers the system call with EPERM. It returns an error, and
// does not call do, where the kernel takes no filters.
func Here(call uintptr, do func()) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and it is never let go: the thread ends with this function
		err := filter(call, 0)
		if err == nil {
			do()
		}
		done <- err
	}()
	return <-done
}

// Everywhere has the kernel answer the system call with EPERM in this process from now on, and in all that it starts.
func Everywhere(call uintptr) error { return filter(call, unix.SECCOMP_FILTER_FLAG_TSYNC) }

func filter(call, flags uintptr) error {
	program := []unix.SockFilter{ // of struct seccomp_data, whose first field is the number of the call
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_NO_NEW_PRIVS: %w", err)
	}
	list := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags,
		uintptr(unsafe.Pointer(&list))); errno != 0 {
		return fmt.Errorf("seccomp: %w", errno)
	}
	return nil
}

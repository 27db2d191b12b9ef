package pool_test

import (
	"syscall"
	"unsafe"
)

// defaultAction gives a signal the kernel's default action behind the Go runtime's back, as in a program whose C code
// crashes.
func defaultAction(sig syscall.Signal) {
	var action [4]uint64 // struct sigaction of rt_sigaction(2): SIG_DFL, no flags, empty mask
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

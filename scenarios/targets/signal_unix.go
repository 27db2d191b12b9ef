package targets

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// signalName is SIGKILL for 9.
func signalName(s syscall.Signal) string { return unix.SignalName(s) }

package pool

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// signalName is the signal's name as kill -l has it: SIGKILL.
func signalName(sig syscall.Signal) string { return unix.SignalName(sig) }

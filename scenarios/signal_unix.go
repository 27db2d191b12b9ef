package scenarios

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// commonSignals is what an error about an unknown signal suggests.
var commonSignals = []string{"KILL", "TERM", "INT", "HUP", "QUIT", "ABRT", "SEGV", "BUS", "FPE", "ILL", "CONT", "USR1", "USR2"}

// signalNumber is the signal of a name with or without SIG, 0 when there is none.
func signalNumber(name string) syscall.Signal {
	return unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG"))
}

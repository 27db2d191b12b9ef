package pooltest

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalHeld signals the process while it is held and still the one that was meant.
func signalHeld(pid int, sig syscall.Signal, still func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !still() {
		return errors.New("it ended by itself that moment")
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

package naive

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos/history"
)

// waitExit blocks until the child has exited and leaves it to be reaped.
func waitExit(pid int) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func exitOf(st syscall.WaitStatus) *history.Exit {
	if st.Signaled() {
		return &history.Exit{Code: -1, Signal: unix.SignalName(st.Signal()), Kind: "killed"}
	}
	return &history.Exit{Code: st.ExitStatus(), Kind: "crashed"}
}

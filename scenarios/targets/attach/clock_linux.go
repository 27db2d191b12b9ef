package attach

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
)

// threadTime is the CPU time that this thread has used.
func threadTime() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now)
	return time.Duration(now.Nano())
}

// age is how long a process has lived, to a tick of the kernel's clock.
func age(id procfs.Identity) time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	const tick = 10 * time.Millisecond
	return time.Duration(now.Nano()) - time.Duration(id.Started)*tick
}

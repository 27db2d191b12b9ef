//go:build unix

package work

import "golang.org/x/sys/unix"

// Now is the machine's monotonic clock in nanoseconds: the same in every process (clock_gettime(2), CLOCK_MONOTONIC).
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}

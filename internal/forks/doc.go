// Package forks follows the births and deaths of processes as the kernel tells them, so that one that lived for a
// moment only is seen: by the proc connector of Linux, which needs CAP_NET_ADMIN and the host's own pid namespace. It
// is a leaf.
package forks

import (
	"syscall"
	"time"
)

// Life is a process that has ended.
type Life struct {
	PID    int
	Parent int                // whose child it was when it was born
	Ended  time.Duration      // on CLOCK_MONOTONIC
	Status syscall.WaitStatus // how it ended
}

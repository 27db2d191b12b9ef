//go:build !linux

package pool_test

import "syscall"

// defaultAction is not needed where no worker can be started.
func defaultAction(syscall.Signal) {}

//go:build !linux

package cgroup

import (
	"fmt"
	"runtime"
)

// KillDir is not supported here.
func KillDir(string, int) error {
	return fmt.Errorf("control groups are not supported on %s", runtime.GOOS)
}

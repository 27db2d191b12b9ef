package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidfd"
)

// killWait bounds how long KillDir waits for the killed to be gone.
const killWait = time.Second

// KillDir is Kill for the group of that directory, made by another process. A group that is gone is fine.
func KillDir(dir string, version int) error {
	byKernel := version == 2 && write(dir, "cgroup.kill", "1") == nil // from Linux 5.14
	for deadline := time.Now().Add(killWait); ; time.Sleep(time.Millisecond) {
		pids, err := procs(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV):
			return nil
		case err != nil:
			return err
		case !byKernel:
			for _, pid := range pids {
				killMember(dir, pid)
			}
		}
		if len(pids) == 0 && !populated(dir) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cgroup %s: processes %v are left after SIGKILL", dir, pids)
		}
	}
}

// populated tells whether a version 2 group, or one below it, holds processes; version 1 does not tell.
func populated(dir string) bool {
	n, err := field(dir, "cgroup.events", "populated")
	return err == nil && n > 0
}

// killMember kills pid if it is still in the group once it is held by a pidfd, since the number may have passed to
// another process.
func killMember(dir string, pid int) {
	_ = pidfd.SignalIf(pid, unix.SIGKILL, func() bool {
		now, err := procs(dir)
		return err == nil && slices.Contains(now, pid)
	})
}

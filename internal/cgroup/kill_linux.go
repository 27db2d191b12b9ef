package cgroup

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Kill ends every process in the group by SIGKILL, those forked meanwhile included. On version 2 the kernel does it
// (cgroup.kill); on version 1 members are signalled until none is left, for at most a second. A member that is a zombie
// already counts as ended.
func (g *Group) Kill() error {
	for dir, version := range g.each() {
		return KillDir(dir, version)
	}
	return nil
}

// KillDir is Kill for the group of that directory, made by another process.
func KillDir(dir string, version int) error {
	if version == 2 {
		err := write(dir, "cgroup.kill", "1")
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		pids, err := procs(dir)
		if err != nil || len(pids) == 0 || time.Now().After(deadline) {
			return err
		}
		for _, pid := range pids {
			killMember(dir, pid)
		}
	}
}

// killMember kills pid if it is still in the group once it is held by a pidfd, since the number may have passed to
// another process.
func killMember(dir string, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	now, err := procs(dir)
	if err != nil {
		return
	}
	for _, have := range now {
		if have == pid {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
	}
}

func isBusy(err error) bool { return errors.Is(err, unix.EBUSY) }

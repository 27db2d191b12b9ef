//go:build linux

// Command v2 runs a program on a kernel of its own, in which control groups are version 2 whatever the host has: as the
// -exec program of go test it makes a test package run there. The kernel is User-Mode Linux, which is an ordinary
// process and needs no image and no privilege: the guest sees the host's files, read-only. See run.sh, and
// docs/decisions/0013-cgroup-v2-lane.md for why.
//
// It is both sides: on the host it boots the kernel, and in the guest it is the first process.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// job is what the host tells the guest.
type job struct {
	Argv, Env []string
	Dir       string
	User      bool // as a plain user with a delegated cgroup, not as root
}

// The files of a job's directory, and the kernel parameter that names the directory: those that a kernel does not know
// become the environment of its first process.
const (
	jobFile  = "job.json"
	exitFile = "exit"
	jobParam = "v2job"

	// The names by which it starts itself again.
	nannyArg    = "v2-nanny"
	strangerArg = "v2-stranger"
)

// exitLost is the exit code when the guest gave none: it panicked, hung or never came up.
const exitLost = 125

func main() {
	if dir := os.Getenv(jobParam); dir != "" && os.Getpid() == 1 {
		guest(dir)
	}
	switch os.Args[0] {
	case nannyArg:
		nurse(os.Args[1:])
	case strangerArg: // only is there
		_ = unix.Pause()
		os.Exit(0)
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: V2_KERNEL=FILE [V2_AS=user] v2 PROGRAM [ARGUMENT…]")
		os.Exit(2)
	}
	code, err := host(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "v2:", err)
	}
	os.Exit(code)
}

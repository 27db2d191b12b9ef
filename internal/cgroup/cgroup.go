// Package cgroup makes and limits control groups of Linux, version 1 and version 2 alike: one small type, used by the
// pool (a hard memory limit for a worker, the end of everything it started) and by the chaos faults.
//
// On version 1 a group is made below the caller's own, once for each controller, and that needs write access to the
// controller's directory: in practice root. On version 2 it is one directory for all controllers and needs a delegated
// subtree (or root). There a group that holds processes cannot have limited children (cgroups(7), the "no internal
// processes" rule), so the group is made where that rule allows it, see [Create].
//
// What the kernel does and does not do is written down in docs/decisions/0014-where-groups-are-made.md, and tried on
// version 2 by ci/v2/run.sh.
package cgroup

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Controller names a resource controller.
type Controller string

// The controllers that are used.
const (
	Memory Controller = "memory"
	Pids   Controller = "pids"
	CPU    Controller = "cpu"
)

// place is one control group of one hierarchy.
type place struct {
	version int
	dir     string
	made    bool   // by us, and so removed by us
	from    string // the group that a process was taken from, into this one; "" when none was
}

// Group is one control group: on version 1 a directory per controller, on version 2 a single one. It comes from Create,
// Of or Take. Its methods are safe for concurrent use, since the kernel serialises them.
type Group struct {
	at    map[Controller]place
	saved []Setting
}

// Create makes an empty group with the given controllers. The name gets a prefix with the caller's pid, by which Sweep
// recognises what a killed caller left behind. Remove it when its processes are gone.
//
// On version 2 the group is made below the first of these that can have limited children: the caller's own group; the
// same, after the caller and its descendants moved to a leaf of it, if it holds no one else; the groups above. Errors:
// *UnsupportedError.
func Create(name string, controllers ...Controller) (*Group, error) {
	t, err := readTree(self)
	if err != nil {
		return nil, err
	}
	return t.create(prefix()+name, controllers)
}

// prefix begins the name of every group that this process makes. The number alone would be another's too: of a process
// of the same number in another pid namespace that shares the tree, or of one that is gone and left a group behind.
func prefix() string { return fmt.Sprintf("respawn-%d-%s-", os.Getpid(), token()) }

var token = sync.OnceValue(func() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand
	return namespace() + "." + hex.EncodeToString(b[:])
})

// namespace tells the pid namespaces that live at one time apart; "" where it cannot be read.
var namespace = sync.OnceValue(func() string {
	link, _ := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
})

// Of is the group that a process is in, with the given controllers. It may be shared with other processes, the caller
// among them: it is for reading counters. To limit the process use Take. Errors: *UnsupportedError.
func Of(pid int, controllers ...Controller) (*Group, error) {
	t, err := readTree(ofProcess(pid))
	if err != nil {
		return nil, err
	}
	g := &Group{at: make(map[Controller]place)}
	for _, c := range controllers {
		at, ok := t.find(c)
		if !ok {
			return nil, t.missing(c)
		}
		g.at[c] = at
	}
	return g, nil
}

// Dir is the directory that holds the controller's files, "" when the group does not have that controller.
func (g *Group) Dir(c Controller) string { return g.at[c].dir }

// Version is the cgroup version that the controller is on: 1, 2, or 0 when the group does not have it.
func (g *Group) Version(c Controller) int { return g.at[c].version }

// places yields every directory of the group once, in a fixed order.
func (g *Group) places() []place {
	var all []place
	for _, c := range []Controller{Memory, Pids, CPU} {
		at, ok := g.at[c]
		if ok && !slices.ContainsFunc(all, func(p place) bool { return p.dir == at.dir }) {
			all = append(all, at)
		}
	}
	return all
}

// Add moves a process, with its threads but not its children, into the group. What memory it has already stays charged
// to the group it comes from.
func (g *Group) Add(pid int) error {
	for _, at := range g.places() {
		if err := at.add(pid); err != nil {
			return err
		}
	}
	return nil
}

func (p place) add(pid int) error { return write(p.dir, "cgroup.procs", strconv.Itoa(pid)) }

// procs lists the processes in the group of that directory. Zombies are not among them.
func procs(dir string) ([]int, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var pids []int
	for _, f := range strings.Fields(string(data)) {
		if pid, err := strconv.Atoi(f); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// Kill ends every process in the group by SIGKILL, those forked meanwhile included, and waits until they are gone, for
// at most a second: then it says which are left. On version 2 the kernel does it (cgroup.kill) and it reaches the
// groups below too; on version 1 members are signalled until none is left. A zombie counts as gone.
func (g *Group) Kill() error {
	var errs []error
	for _, at := range g.places() {
		errs = append(errs, KillDir(at.dir, at.version))
	}
	return errors.Join(errs...)
}

// Remove removes the directories that were made for this group, waiting up to a second for its last processes to be
// gone. Removing twice is fine.
func (g *Group) Remove() error { return g.RemoveWithin(time.Second) }

// RemoveWithin is Remove with another time to wait, for each directory.
func (g *Group) RemoveWithin(wait time.Duration) error {
	var errs []error
	for _, dir := range g.Made() {
		errs = append(errs, RemoveDir(dir, wait))
	}
	return errors.Join(errs...)
}

// Made lists the directories that were made for this group: what Remove removes.
func (g *Group) Made() (dirs []string) {
	for _, at := range g.places() {
		if at.made {
			dirs = append(dirs, at.dir)
		}
	}
	return dirs
}

// RemoveDir removes the group of that directory, which may be gone already. While processes are in it, or on their way
// out of it (version 1 no longer lists those), it tries again, for as long as wait.
func RemoveDir(dir string, wait time.Duration) error {
	return removeDir(dir, wait, func() error { return syscall.Rmdir(dir) })
}

// RemoveLeft is RemoveDir for a group whose maker is gone. The groups below it whose makers are gone too go first:
// pins.
func RemoveLeft(dir string, wait time.Duration) error {
	return removeDir(dir, wait, func() error {
		_, _ = sweepDir(dir) // what stays keeps the group itself
		return syscall.Rmdir(dir)
	})
}

// removeDir tries to remove the directory until it is gone.
func removeDir(dir string, wait time.Duration, remove func() error) error {
	deadline := time.Now().Add(wait)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := remove()
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || time.Now().Add(pause).After(deadline) {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
		time.Sleep(pause)
	}
}

// write writes a value to a file that must be there: to create one is refused with other errors than fs.ErrNotExist. It
// is no os.File, which would not block: by a descriptor of that kind newer kernels set a limit on memory and do not
// enforce it (seen on Linux 7.2).
func write(dir, name, value string) error {
	path := filepath.Join(dir, name)
	fd, err := retry(func() (int, error) { return syscall.Open(path, syscall.O_WRONLY|syscall.O_CLOEXEC, 0) })
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	if _, err = retry(func() (int, error) { return syscall.Write(fd, []byte(value)) }); err != nil {
		return fmt.Errorf("set %q: %w", value, &fs.PathError{Op: "write", Path: path, Err: err})
	}
	return nil
}

// retry calls a system call again that a signal has interrupted.
func retry(call func() (int, error)) (n int, err error) {
	for n, err = call(); errors.Is(err, syscall.EINTR); n, err = call() {
	}
	return n, err
}

// Package cgroup makes and limits control groups of Linux, version 1 and version 2 alike: one small type, used by the
// pool (a hard memory limit for a worker, the end of everything it started) and by the chaos faults.
//
// A group is made below the caller's own cgroup, for each controller where that controller is mounted. On version 1 that
// needs write access to the controller's directory, in practice root. On version 2 it needs a delegated subtree, and the
// caller's own group must hold no processes beside those moved to a leaf, because the kernel lets a group with controllers
// enabled below it hold none itself (cgroups(7), "no internal processes" rule): see [Create].
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// UnsupportedError says why a controller cannot be had, and what would help.
type UnsupportedError struct {
	Controller Controller
	Reason     string
	Remedy     string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("no %s cgroup: %s; %s", e.Controller, e.Reason, e.Remedy)
}

// ErrBusy is returned by SetMemoryMax when the group uses more than the new limit and the kernel could not reclaim it
// (version 1 refuses such a limit; version 2 enforces it by the OOM killer instead).
var ErrBusy = errors.New("the group uses more than the new limit")

// place is where one controller's groups are made.
type place struct {
	version int
	parent  string // directory of the caller's own group
}

// Group is one control group: on version 1 a directory per controller, on version 2 a single one. It is made by Create.
// Its methods are safe for concurrent use, since the kernel serialises them.
type Group struct {
	name string
	dirs map[Controller]place // parent is the group's own directory here
}

// Create makes a group for the given controllers below the caller's own. The name gets a prefix with the caller's pid, by
// which Sweep recognises what a killed caller left behind. Remove it when its processes are gone.
func Create(name string, controllers ...Controller) (*Group, error) {
	return create("/proc/self/cgroup", "/proc/self/mountinfo", name, controllers)
}

func create(cgroupFile, mountinfo, name string, controllers []Controller) (*Group, error) {
	g := &Group{name: fmt.Sprintf("respawn-%d-%s", os.Getpid(), name), dirs: make(map[Controller]place)}
	for _, c := range controllers {
		at, err := locate(cgroupFile, mountinfo, c)
		if err == nil {
			at.parent = filepath.Join(at.parent, g.name)
			if err = os.Mkdir(at.parent, 0o755); errors.Is(err, fs.ErrExist) && g.has(at.parent) {
				err = nil // version 2: one directory for all controllers
			}
		}
		if err != nil {
			_ = g.Remove()
			return nil, asUnsupported(c, err)
		}
		g.dirs[c] = at
	}
	return g, nil
}

func asUnsupported(c Controller, err error) error {
	var u *UnsupportedError
	if errors.As(err, &u) {
		return err
	}
	return &UnsupportedError{c, err.Error(), "run as root, or in a delegated cgroup (systemd-run --user -p Delegate=yes)"}
}

func (g *Group) has(dir string) bool {
	for _, at := range g.dirs {
		if at.parent == dir {
			return true
		}
	}
	return false
}

// Dir is the directory that holds the controller's files, "" when the group does not have that controller.
func (g *Group) Dir(c Controller) string { return g.dirs[c].parent }

// Version is the cgroup version that the controller is on: 1, 2, or 0 when the group does not have it.
func (g *Group) Version(c Controller) int { return g.dirs[c].version }

// Add moves a process, with its threads, into the group.
func (g *Group) Add(pid int) error {
	for dir := range g.each() {
		if err := write(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

// each yields every directory of the group once.
func (g *Group) each() map[string]int {
	dirs := make(map[string]int, len(g.dirs))
	for _, at := range g.dirs {
		dirs[at.parent] = at.version
	}
	return dirs
}

// Procs lists the processes in the group.
func (g *Group) Procs() ([]int, error) {
	for dir := range g.each() {
		return procs(dir)
	}
	return nil, nil
}

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

// SetMemoryMax limits the group's memory, swap included, to n bytes; 0 lifts the limit. Errors: ErrBusy.
func (g *Group) SetMemoryMax(n int64) error {
	at := g.dirs[Memory]
	if at.version == 2 {
		v := "max"
		if n > 0 {
			v = strconv.FormatInt(n, 10)
			_ = write(at.parent, "memory.swap.max", "0") // absent where swap is not accounted
		}
		return write(at.parent, "memory.max", v)
	}
	v := "-1"
	if n > 0 {
		v = strconv.FormatInt(n, 10)
	} else {
		_ = write(at.parent, "memory.memsw.limit_in_bytes", v)
	}
	err := write(at.parent, "memory.limit_in_bytes", v)
	if n > 0 && err == nil {
		_ = write(at.parent, "memory.memsw.limit_in_bytes", v)
	}
	return err
}

// MemoryCurrent is what the group uses now, in bytes.
func (g *Group) MemoryCurrent() (int64, error) {
	at := g.dirs[Memory]
	name := "memory.usage_in_bytes"
	if at.version == 2 {
		name = "memory.current"
	}
	return number(at.parent, name)
}

// OOMKills counts the processes of the group that the kernel's OOM killer has ended.
func (g *Group) OOMKills() (uint64, error) {
	at := g.dirs[Memory]
	name := "memory.oom_control"
	if at.version == 2 {
		name = "memory.events"
	}
	return field(at.parent, name, "oom_kill")
}

// SetPidsMax limits how many processes and threads the group may have; 0 lifts the limit.
func (g *Group) SetPidsMax(n int) error {
	v := "max"
	if n > 0 {
		v = strconv.Itoa(n)
	}
	return write(g.dirs[Pids].parent, "pids.max", v)
}

// PidsCurrent is how many processes and threads the group has now.
func (g *Group) PidsCurrent() (int64, error) { return number(g.dirs[Pids].parent, "pids.current") }

// PidsRefused counts the forks that failed because of the limit.
func (g *Group) PidsRefused() (uint64, error) {
	return field(g.dirs[Pids].parent, "pids.events", "max")
}

// cpuPeriod is the period over which a CPU limit is enforced: the kernel's default.
const cpuPeriod = 100_000 // microseconds

// SetCPUMax limits the group to so many CPUs (0.05 is 5 % of one); 0 lifts the limit. The least is 0.01.
func (g *Group) SetCPUMax(cpus float64) error {
	at := g.dirs[CPU]
	quota := max(int(cpus*cpuPeriod), 1000)
	if at.version == 2 {
		v := "max " + strconv.Itoa(cpuPeriod)
		if cpus > 0 {
			v = fmt.Sprintf("%d %d", quota, cpuPeriod)
		}
		return write(at.parent, "cpu.max", v)
	}
	if cpus <= 0 {
		quota = -1
	}
	return write(at.parent, "cpu.cfs_quota_us", strconv.Itoa(quota))
}

// CPUThrottled counts the periods in which the group ran into its limit.
func (g *Group) CPUThrottled() (uint64, error) {
	return field(g.dirs[CPU].parent, "cpu.stat", "nr_throttled")
}

// Remove removes the group, waiting up to a second for its last processes to be gone. Removing twice is fine.
func (g *Group) Remove() error {
	var errs []error
	for dir := range g.each() {
		errs = append(errs, removeDir(dir))
	}
	return errors.Join(errs...)
}

func removeDir(dir string) error {
	for pause := time.Millisecond; ; pause *= 2 {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if pause > 500*time.Millisecond {
			return fmt.Errorf("remove cgroup: %w", err)
		}
		time.Sleep(pause)
	}
}

func write(dir, name, value string) error {
	err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0)
	if isBusy(err) {
		return fmt.Errorf("%s: %w", name, errors.Join(ErrBusy, err))
	}
	return err
}

func number(dir, name string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// field reads one number out of a file of "name value" lines.
func field(dir, name, key string) (uint64, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return strconv.ParseUint(v, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s: the kernel is too old", name, key)
}

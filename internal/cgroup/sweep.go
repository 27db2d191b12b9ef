package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/respawn-go/respawn/internal/procfs"
)

// Sweep removes the groups of callers that are gone: killed before they could. It looks where Create would make one
// now, and returns the directories that it removed. A group that still holds processes stays and is named in the error.
// Those of another pid namespace that shares the tree are left alone: whether their makers live cannot be told from
// here.
func Sweep() (removed []string, err error) {
	t, err := readTree(self)
	if err != nil {
		return nil, err
	}
	for _, dir := range t.nurseries() {
		gone, e := sweepDir(dir)
		removed, err = append(removed, gone...), errors.Join(err, e)
	}
	return removed, err
}

// nurseries are the groups below which create may make one.
func (t tree) nurseries() []string {
	seen := make(map[string]bool)
	var all []string
	add := func(dir string) {
		if !seen[dir] {
			seen[dir] = true
			all = append(all, dir)
		}
	}
	for _, c := range []Controller{Memory, Pids, CPU} {
		if dir, ok := t.legacy(c); ok {
			add(dir)
		}
	}
	if dir, top, ok := t.unified(); ok {
		for ; dir != top; dir = filepath.Dir(dir) {
			add(dir)
		}
		add(top)
	}
	return all
}

func sweepDir(parent string) (removed []string, err error) {
	entries, _ := os.ReadDir(parent) // not ours to read, not ours to sweep
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		if pid, ok := owner(e.Name()); !ok || !e.IsDir() || running(pid) || !ours(e.Name()) {
			continue
		}
		below, e := sweepDir(dir) // pins
		removed = append(removed, below...)
		if gone := syscall.Rmdir(dir); gone == nil {
			removed = append(removed, dir)
		} else if optional(gone) != nil {
			e = errors.Join(e, fmt.Errorf("sweep cgroup %s: %w", dir, gone))
		}
		err = errors.Join(err, e)
	}
	return removed, err
}

// owner is the pid in the name of a group that Create or vacate made.
func owner(name string) (pid int, ok bool) {
	number, ok := strings.CutPrefix(name, leafPrefix)
	if !ok {
		if number, ok = strings.CutPrefix(name, "respawn-"); ok {
			number, _, ok = strings.Cut(number, "-")
		}
	}
	pid, err := strconv.Atoi(number)
	return pid, ok && err == nil && pid > 0
}

// ours tells whether the maker of a group was in this pid namespace. A leaf of vacate does not tell; it holds who made
// it.
func ours(name string) bool {
	_, rest, _ := strings.Cut(strings.TrimPrefix(name, "respawn-"), "-")
	space, _, ok := strings.Cut(rest, ".")
	return strings.HasPrefix(name, leafPrefix) || !ok || space == namespace()
}

// running is false for zombies.
func running(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	p, err := procfs.Read(pid)
	return err != nil || p.State != 'Z' // where it is not ours to read, the signal told enough
}

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/respawn-go/respawn/internal/procfs"
)

// arranging keeps two callers of this process from rearranging version 2 groups at once.
var arranging sync.Mutex

// create makes a group of that very name.
func (t tree) create(name string, controllers []Controller) (*Group, error) {
	g := &Group{at: make(map[Controller]place)}
	var unified []Controller
	for _, c := range controllers {
		own, ok := t.find(c)
		switch {
		case !ok:
			return nil, errors.Join(t.missing(c), g.Remove())
		case own.version == 2:
			unified = append(unified, c)
		default:
			if err := g.makeLegacy(c, filepath.Join(own.dir, name)); err != nil {
				return nil, errors.Join(err, g.Remove())
			}
		}
	}
	if len(unified) == 0 {
		return g, nil
	}
	dir, err := t.makeUnified(name, unified)
	if err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	for _, c := range unified {
		g.at[c] = place{version: 2, dir: dir, made: true}
	}
	return g, nil
}

// makeLegacy makes a version 1 directory, unless another of the group's controllers is mounted together with this one.
func (g *Group) makeLegacy(c Controller, dir string) error {
	for _, at := range g.at {
		if at.dir == dir {
			g.at[c] = at
			return nil
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return refused(c, 1, err)
	}
	g.at[c] = place{version: 1, dir: dir, made: true}
	return nil
}

// makeUnified makes a version 2 group below the process's own group, or the nearest one above it that can have it. The
// error is that of the own group: it is the one that a person can do something about.
func (t tree) makeUnified(name string, controllers []Controller) (string, error) {
	arranging.Lock()
	defer arranging.Unlock()
	own, top, _ := t.unified()
	leaf := isLeaf(own)
	if leaf {
		own = filepath.Dir(own)
	}
	var first error
	for dir := own; ; dir = filepath.Dir(dir) {
		err := prepare(dir, dir == own && !leaf, controllers)
		if err == nil {
			made := filepath.Join(dir, name)
			if err = os.Mkdir(made, 0o755); err == nil {
				return made, nil
			}
			err = refused(controllers[0], 2, err)
		}
		if errors.Is(err, fs.ErrExist) {
			return "", err
		}
		if first == nil {
			first = err
		}
		if dir == top {
			return "", first
		}
	}
}

// prepare makes a version 2 group ready for children with these controllers. A group that is our own is vacated first
// if that helps.
func prepare(dir string, own bool, controllers []Controller) error {
	for _, c := range controllers {
		if !offers(dir, available, c) {
			return &UnsupportedError{c, "the controller is not enabled for " + dir, enabled}
		}
	}
	c := controllers[0]
	// To move a process takes write access to the group above its old and its new one (cgroups(7), "delegation").
	err := syscall.Access(filepath.Join(dir, "cgroup.procs"), 2)
	if err == nil {
		err = vacate(dir, own)
	}
	for _, c = range controllers {
		if err == nil && !offers(dir, below, c) {
			err = write(dir, below, "+"+string(c))
		}
	}
	if err != nil {
		return refused(c, 2, fmt.Errorf("%s: %w", dir, err))
	}
	return nil
}

// vacate sees to it that a version 2 group holds no processes, unless it is the root, which may. The kernel itself
// would refuse the memory controller to the children of a group that does, but with cpu and pids it makes them useless:
// "domain invalid" (cgroups(7), "thread mode"). Our own group is vacated if it holds only us and our descendants, into
// a leaf below it, as a program does that was started in a delegated group (systemd.resource-control(5), Delegate=).
func vacate(dir string, own bool) error {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); errors.Is(err, fs.ErrNotExist) {
		return nil // the root
	}
	leaf := place{version: 2, dir: filepath.Join(dir, fmt.Sprintf("%s%d", leafPrefix, os.Getpid()))}
	for range 100 { // children may be forked meanwhile
		pids, err := procs(dir)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if !own || !descends(pid, os.Getpid()) {
				return fmt.Errorf("it holds process %d, which is not of this program: %w", pid, syscall.EBUSY)
			}
		}
		if err = os.Mkdir(leaf.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		for _, pid := range pids {
			if err = leaf.add(pid); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
	}
	return fmt.Errorf("its processes fork too fast to be moved: %w", syscall.EBUSY)
}

// leafPrefix begins the name of a leaf: not that of a group that was made to be removed, since its maker is in it.
const leafPrefix = "respawn-self-"

// isLeaf tells whether vacate made the group, here or in the process that started this one.
func isLeaf(dir string) bool { return strings.HasPrefix(filepath.Base(dir), leafPrefix) }

// descends tells whether pid is the ancestor itself or one of its descendants. A process that is gone does.
func descends(pid, ancestor int) bool {
	for pid != ancestor {
		if pid <= 1 {
			return false
		}
		p, err := procfs.Read(pid)
		if err != nil {
			return errors.Is(err, fs.ErrNotExist)
		}
		pid = p.PPID
	}
	return true
}

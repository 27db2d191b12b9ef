package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
)

// Take gives a group in which a process is alone with its descendants, so that limits on it hit nobody else: the group
// that it is in already, if it is alone there, else a new one, into which it is moved; children that it has already
// stay where they are. Release ends it. What memory a moved process has already stays charged to its old group. The
// name is for a new group, see Create.
// Errors: *UnsupportedError.
func Take(pid int, name string, controllers ...Controller) (*Group, error) {
	t, err := readTree(ofProcess(pid))
	if err != nil {
		return nil, err
	}
	g := &Group{at: make(map[Controller]place)}
	var shared []Controller
	for _, c := range controllers {
		at, ok := t.find(c)
		if !ok {
			return nil, t.missing(c)
		}
		if at.private(pid) && at.has(c) == nil {
			g.at[c] = at
		} else {
			shared = append(shared, c)
		}
	}
	if len(shared) > 0 {
		if err = g.move(pid, name, shared); err != nil {
			return nil, err
		}
	}
	if g.saved, err = g.Settings(); err != nil {
		return nil, errors.Join(err, g.Release())
	}
	return g, nil
}

// move makes groups for the controllers and takes the process there. On version 2 a process is in one group only, so
// the controllers that it has already come along.
func (g *Group) move(pid int, name string, controllers []Controller) error {
	for c, at := range g.at {
		if at.version == 2 {
			controllers = append(controllers, c)
			delete(g.at, c)
		}
	}
	made, err := Create(name, controllers...)
	if err != nil {
		return err
	}
	t, err := readTree(ofProcess(pid)) // Create may have moved it
	for _, c := range controllers {
		at := made.at[c]
		from, _ := t.find(c)
		at.from = from.dir
		g.at[c] = at
	}
	if err == nil {
		err = made.Add(pid)
	}
	if err != nil {
		return errors.Join(err, made.Remove())
	}
	return nil
}

// private tells whether nobody but the process and its descendants is in the group or below it.
func (p place) private(pid int) bool {
	pids, err := procs(p.dir)
	if err != nil || len(pids) == 0 || descends(os.Getpid(), pid) {
		return false
	}
	for _, other := range pids {
		if !descends(other, pid) {
			return false
		}
	}
	entries, err := os.ReadDir(p.dir)
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), "respawn-") { // but for pins
			return false
		}
	}
	return err == nil
}

// has sees to it that the group has the controller's files: on version 2 the group above must give it the controller.
func (p place) has(c Controller) error {
	if p.version == 1 || offers(p.dir, available, c) {
		return nil
	}
	return write(filepath.Dir(p.dir), below, "+"+string(c))
}

// Saved is what the limits were when the group was taken: what Release restores. Hand it to a dead man's switch before
// setting limits.
func (g *Group) Saved() []Setting { return g.saved }

// Release restores the limits that a taken group had, moves the processes of a new one back to where the first came
// from, and removes it. Releasing twice is fine.
func (g *Group) Release() error {
	errs := []error{Restore(g.saved)}
	for _, at := range g.places() {
		if at.from != "" {
			errs = append(errs, at.empty())
		}
	}
	return errors.Join(append(errs, g.Remove())...)
}

// empty moves every process back to the group that the first one came from.
func (p place) empty() error {
	home := place{version: p.version, dir: p.from}
	for range 100 { // children may be forked meanwhile
		pids, err := procs(p.dir)
		if err != nil || len(pids) == 0 {
			return optional(err)
		}
		for _, pid := range pids {
			if err = home.add(pid); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("move process %d back: %w", pid, err)
			}
		}
	}
	return fmt.Errorf("the processes of %s fork too fast to be moved back: %w", p.dir, syscall.EBUSY)
}

var pins atomic.Int64

// Pin keeps the group from being removed, by whoever else may want to, so that its counters can be read after the death
// of its last process: a group with another below it cannot be removed. Unpin soon: Remove tries for a second, the pool
// for ten.
func (g *Group) Pin() (unpin func() error, err error) {
	pinned := &Group{at: make(map[Controller]place)}
	name := fmt.Sprintf("%spin-%d", prefix(), pins.Add(1))
	for c, at := range g.at {
		at.dir, at.made = filepath.Join(at.dir, name), true
		if err = os.Mkdir(at.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(err, pinned.Remove())
		}
		pinned.at[c] = at
	}
	return pinned.Remove, nil
}

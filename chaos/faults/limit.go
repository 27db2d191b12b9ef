package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// limiting is embedded in injections that limit their victim by a cgroup: the one that it has to itself, or a new one
// that it is taken to for as long. If the harness is killed meanwhile, the guardian restores what the limits were and
// removes the new group, once nobody is in it.
type limiting struct {
	group *cgroup.Group
	undos []func() // tell the guardian that it is not needed any more
}

// confine gives the injection a group in which the victim is alone. What this host lacks is a refusal.
func (l *limiting) confine(c *chaos.Case, controllers ...cgroup.Controller) error {
	g, err := cgroup.Take(c.Victim.PID, fmt.Sprintf("fault-%d", c.Victim.PID), controllers...)
	var lacks *cgroup.UnsupportedError
	switch {
	case errors.As(err, &lacks):
		return chaos.Refuse("%v", lacks)
	case errors.Is(err, syscall.ESRCH), errors.Is(err, fs.ErrNotExist):
		return chaos.ErrGone
	case err != nil:
		return err
	}
	l.group = g
	if !c.Victim.Alive() { // it was taken by a number, which may be another's now: the cleanup takes that one back
		return chaos.ErrGone
	}
	for _, s := range g.Saved() {
		done, err := c.Guardian.Undo(s.Path, s.Value)
		if err != nil {
			return err
		}
		l.undos = append(l.undos, done)
	}
	return nil
}

// release restores the limits and lets go of the group. It is harmless after a take that failed.
func (l *limiting) release() error {
	if l.group == nil {
		return nil
	}
	err := l.group.Release()
	for _, done := range l.undos {
		done()
	}
	l.group, l.undos = nil, nil
	return err
}

// mechanism names the cgroup version that a controller is on, for receipts.
func (l *limiting) mechanism(c cgroup.Controller) string {
	return fmt.Sprintf("cgroup v%d", l.group.Version(c))
}

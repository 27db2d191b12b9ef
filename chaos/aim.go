package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// aimFor is how long an exact phase is waited for.
const aimFor = time.Second

// maxStops bounds how often a victim is stopped to see whether it is in a system call: some calls return when their
// thread is, such as epoll_wait with EINTR, so that each look is a disturbance of its own.
const maxStops = 50

// aimed injects a fault while its victim is in one exact phase: the victim is stopped, so that nothing moves, its phase
// is read, and only if it is the wanted one the fault is injected; else the victim goes on and is stopped again a
// moment later. Phases last microseconds; looking first and striking then would hit another one.
type aimed struct {
	Injection
	phase        string
	call         string // in place of a phase: the system call that it waits in
	staysStopped bool   // the fault wants its victim to stay stopped
}

// Inject strikes, or returns a *MissedError.
func (a *aimed) Inject(ctx context.Context, c *Case) error {
	if !a.staysStopped {
		done, err := c.ContinuesAnyway(c.Victim.PID)
		if err != nil {
			return err
		}
		defer done()
	}
	looks := 0
	for deadline := time.Now().Add(aimFor); time.Now().Before(deadline) && (a.call == "" || looks < maxStops); {
		waits := true
		if a.call != "" { // to be stopped changes what a process waits for: only one that seems to be there is
			var err error
			if waits, err = inCall(c.Victim.PID, a.call); err != nil {
				return err
			}
		}
		if waits {
			looks++
			if hit, err := a.try(ctx, c); hit || err != nil {
				return err
			}
		}
		// A random moment, so that the looks do not fall in step with the victim's work.
		if err := wait.For(ctx, 50*time.Microsecond+rand.N(2*time.Millisecond)); err != nil {
			return err
		}
	}
	if a.call != "" {
		return &MissedError{fmt.Sprintf("the victim was not in %s at any of %d looks, for each of which it was stopped",
			a.call, looks)}
	}
	return &MissedError{fmt.Sprintf("the victim was not in phase %s at any of %d looks", a.phase, looks)}
}

// try stops, looks, and strikes or lets go.
func (a *aimed) try(ctx context.Context, c *Case) (hit bool, err error) {
	defer func() {
		if hit && err == nil && a.staysStopped {
			return
		}
		if resumeErr := c.Victim.Resume(); err == nil {
			err = resumeErr
		}
	}()
	if err := c.Victim.Stop(ctx); err != nil {
		return false, err
	}
	if a.call != "" {
		if in, err := inCall(c.Victim.PID, a.call); err != nil || !in {
			return false, err
		}
		c.Victim.Call = a.call
		return true, a.Injection.Inject(ctx, c)
	}
	m, err := c.Victim.now(ctx, c.Target)
	if err != nil || m.Phase != a.phase {
		return false, err
	}
	c.Victim.Phase = m.Phase
	return true, a.Injection.Inject(ctx, c)
}

// inCall tells whether a process is in a system call, or refuses where that must not be looked at.
func inCall(pid int, call string) (bool, error) {
	in, err := procfs.InCall(pid, call)
	switch {
	case errors.Is(err, os.ErrPermission):
		return false, Refuse("/proc/%d/task/*/syscall cannot be read, so that nobody knows who is in %s: run as "+
			"root, or lower kernel.yama.ptrace_scope: %v", pid, call, err)
	case errors.Is(err, os.ErrNotExist):
		return false, ErrGone
	}
	return in, err
}

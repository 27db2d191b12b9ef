package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/respawn-go/respawn/internal/wait"
)

// aimFor is how long an exact phase is waited for.
const aimFor = time.Second

// aimed injects a fault while its victim is in one exact phase: the victim is stopped, so that nothing moves, its phase
// is read, and only if it is the wanted one the fault is injected; else the victim goes on and is stopped again a moment
// later. Phases last microseconds; looking first and striking then would hit another one.
type aimed struct {
	Injection
	phase        string
	staysStopped bool // the fault wants its victim to stay stopped
}

// Inject strikes, or returns a *MissedError.
func (a *aimed) Inject(ctx context.Context, c *Case) error {
	if !a.staysStopped {
		done, err := c.Guardian.Continue(c.Victim.PID)
		if err != nil {
			return err
		}
		defer done()
	}
	looks := 0
	for deadline := time.Now().Add(aimFor); time.Now().Before(deadline); looks++ {
		if hit, err := a.try(ctx, c); hit || err != nil {
			return err
		}
		// A random moment, so that the looks do not fall in step with the victim's work.
		if err := wait.For(ctx, 50*time.Microsecond+rand.N(2*time.Millisecond)); err != nil {
			return err
		}
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
	m, err := c.Victim.now(ctx, c.Target)
	if err != nil || m.Phase != a.phase {
		return false, err
	}
	c.Victim.Phase = m.Phase
	return true, a.Injection.Inject(ctx, c)
}

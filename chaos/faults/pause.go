package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// Pause stops the victim by SIGSTOP and continues it after a while, unless it has been killed by then: pools that watch
// their workers take one that does not move for hung. The evidence is the state T of all its threads from the beginning
// to the end. The guardian continues it if the harness is killed meanwhile.
type Pause struct {
	For time.Duration `yaml:"for,scalar" zero:"no pause: want a time such as 1s" doc:"Until SIGCONT. Default 1s."`
}

func (p Pause) length() time.Duration { return cmp.Or(p.For, time.Second) }

func (p Pause) String() string { return "pause " + p.length().String() }

// Validate wants a duration that is not negative.
func (p Pause) Validate() error { return forLong("pause", p.For, time.Second) }

// Traits implements chaos.Fault.
func (Pause) Traits() chaos.Traits { return chaos.Traits{StaysStopped: true} }

// Begin makes an injection.
func (p Pause) Begin() chaos.Injection { return &pausing{Pause: p} }

// pausing is a pause on its way.
type pausing struct {
	chaos.Steps
	Pause
	done func() // tells the guardian that it is not needed any more
}

func (p *pausing) Setup(_ context.Context, c *chaos.Case) (err error) {
	p.done, err = c.ContinuesAnyway(c.Victim.PID)
	return err
}

func (p *pausing) Inject(ctx context.Context, c *chaos.Case) error { return c.Victim.Stop(ctx) }

func (p *pausing) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	r := history.Receipt{Tier: "/proc state", At: c.Now(), Evidence: map[string]string{"at the beginning": "T"}}
	ended, err := c.Hold(ctx, p.length())
	if err != nil {
		return r, err
	}
	if !ended {
		stopped, err := procfs.Stopped(c.Victim.PID)
		if err == nil && stopped {
			r.Evidence["at the end"] = "T"
			return r, nil
		}
		if ended = c.Victim.Gone() || !c.Victim.Alive(); !ended {
			return r, errors.Join(errors.New("somebody else continued the victim"), err)
		}
	}
	e, err := c.Ending(ctx)
	r.At = e.At // recovery counts from the death, not from the pause
	r.Evidence["at the end"] = "gone: " + e.String()
	if e.Reason != "" {
		r.Evidence["reason"] = e.Reason
	}
	return r, err
}

func (p *pausing) Heal(ctx context.Context, c *chaos.Case) error {
	if err := c.Victim.Resume(); err != nil {
		return err
	}
	return goesOn(ctx, c.Victim)
}

// goesOn waits until a victim that was continued is not stopped any more, or gone.
func goesOn(ctx context.Context, v *chaos.Victim) error {
	for {
		stopped, err := procfs.Stopped(v.PID)
		if err != nil || !stopped || v.Gone() {
			return nil // an error here means that it is gone
		}
		if err := wait.For(ctx, time.Millisecond); err != nil {
			return fmt.Errorf("pid %d is stopped although it was continued: %w", v.PID, err)
		}
	}
}

func (p *pausing) Cleanup(context.Context, *chaos.Case) error {
	if p.done != nil {
		p.done()
	}
	return nil
}

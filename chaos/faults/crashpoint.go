package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Crashpoint makes the victim kill itself at an exact point of its protocol loop. The evidence is the wait status, and
// the line with the point's name that it writes before. Two points are not in the loop: during-drain asks the victim to
// stop by SIGTERM, and during-boot hits a member that is booting, from outside.
type Crashpoint struct {
	At     string        `yaml:"at,scalar" enum:"before-read after-read mid-exec mid-write after-write during-boot during-drain" doc:"Where in the protocol loop."`
	Within time.Duration `yaml:"-" doc:"How long the victim may take to come by. Default 10s."`
}

var crashpoints = []string{
	"before-read", "after-read", "mid-exec", "mid-write", "after-write", "during-boot", "during-drain",
}

func (p Crashpoint) String() string { return "crashpoint " + p.At + but("within", p.Within) }

// Validate knows the points.
func (p Crashpoint) Validate() error {
	if p.At == "" {
		return errors.New("at is missing: want a crash point such as mid-write")
	}
	if !slices.Contains(crashpoints, p.At) {
		return fmt.Errorf("crash point %q: want one of %s", p.At, strings.Join(crashpoints, ", "))
	}
	if p.Within < 0 {
		return fmt.Errorf("crash point %s within %v: want a positive duration, or 0 for 10s", p.At, p.Within)
	}
	return nil
}

// Traits implements chaos.Fault.
func (p Crashpoint) Traits() (t chaos.Traits) {
	if p.At == "during-boot" {
		t.Phase = "booting"
	}
	return t
}

// Begin makes an injection.
func (p Crashpoint) Begin() chaos.Injection {
	if p.Traits().Phase != "" {
		return Signal{Name: "KILL"}.Begin()
	}
	return &crashing{Crashpoint: p}
}

type crashing struct {
	chaos.Steps
	Crashpoint
	crasher chaos.Crasher
}

func (p *crashing) Setup(_ context.Context, c *chaos.Case) (err error) {
	p.crasher, err = chaos.Capability[chaos.Crasher](c, "arm crash points")
	return err
}

func (p *crashing) Inject(ctx context.Context, c *chaos.Case) error {
	if err := p.crasher.ArmCrashPoint(ctx, c.Victim.Slot, c.Victim.PID, p.At); err != nil {
		return err
	}
	if p.At == "during-drain" {
		return c.Victim.Send(syscall.SIGTERM)
	}
	return nil
}

func (p *crashing) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	within := p.Within
	if within == 0 {
		within = 10 * time.Second
	}
	if ended, err := c.Hold(ctx, within); err != nil || !ended {
		return history.Receipt{}, errors.Join(fmt.Errorf("the victim did not come by %s within %v", p.At, within), err)
	}
	e, err := c.Ending(ctx)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	if e.Known() && e.Signal != "SIGKILL" {
		return r, fmt.Errorf("the victim was to die at %s, but ended with %s", p.At, e)
	}
	return r, marked(e, "crash point "+p.At, &r)
}

// Heal disarms a victim that did not come by.
func (p *crashing) Heal(ctx context.Context, c *chaos.Case) error {
	if c.Victim.Gone() {
		return chaos.ErrNothingToHeal
	}
	if err := p.crasher.ArmCrashPoint(ctx, c.Victim.Slot, c.Victim.PID, "none"); !errors.Is(err, chaos.ErrGone) {
		return err
	}
	return nil
}

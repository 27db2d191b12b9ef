package faults

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

// Freeze stops every member at one moment by SIGSTOP, and continues them all after a while, as they find it whose host
// stood still: a virtual machine that was moved, a laptop that slept. A pool that counts that time against its workers
// replaces them all. The evidence is the state T of all threads of each at the beginning and at the end. The guardian
// continues them if the harness is killed meanwhile.
type Freeze struct {
	For time.Duration `yaml:"for,scalar" zero:"no pause: want a time such as 1s" doc:"Until SIGCONT. Default 1s."`
}

func (f Freeze) length() time.Duration { return Pause(f).length() }

func (f Freeze) String() string { return "freeze " + f.length().String() }

// Validate wants a duration that is not negative.
func (f Freeze) Validate() error { return forLong("freeze", f.For, time.Second) }

// Traits implements chaos.Fault: a pool may take members that do not move for hung.
func (Freeze) Traits() chaos.Traits { return chaos.Traits{Whole: true, Ends: []string{"stall"}} }

// Begin makes an injection.
func (f Freeze) Begin() chaos.Injection { return &freezing{Freeze: f} }

type freezing struct {
	chaos.Steps
	Freeze
	members []*chaos.Victim
	letGo   func()
	done    []func() // tell the guardian that it is not needed any more
	took    time.Duration
}

func (f *freezing) Setup(ctx context.Context, c *chaos.Case) (err error) {
	if f.members, f.letGo, err = c.HoldAll(ctx); err != nil {
		return err
	}
	for _, m := range f.members {
		done, err := c.ContinuesAnyway(m.PID)
		if err != nil {
			return err
		}
		f.done = append(f.done, done)
	}
	return nil
}

// Inject sends the signal to all of them before it waits for any.
func (f *freezing) Inject(ctx context.Context, c *chaos.Case) error {
	began := c.Now()
	for _, m := range f.members {
		if err := m.Send(syscall.SIGSTOP); err != nil && !errors.Is(err, chaos.ErrGone) {
			return err
		}
	}
	stopped := 0
	for _, m := range f.members {
		switch err := m.Stop(ctx); {
		case err == nil:
			stopped++
		case !errors.Is(err, chaos.ErrGone):
			return err
		}
	}
	f.took = c.Now() - began
	if stopped == 0 {
		return chaos.ErrGone
	}
	return nil
}

func (f *freezing) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	r := history.Receipt{Tier: "/proc state", At: c.Now(), Evidence: map[string]string{
		"at the beginning": fmt.Sprintf("T of %d", len(f.members)), "all within": f.took.String(),
	}}
	if err := f.hold(ctx); err != nil {
		return r, err
	}
	stopped, gone := 0, 0
	for _, m := range f.members {
		switch still, err := procfs.Stopped(m.PID); {
		case !m.Alive() || m.Gone():
			gone++
		case err == nil && still:
			stopped++
		}
	}
	r.Evidence["at the end"] = fmt.Sprintf("T of %d, %d gone", stopped, gone)
	for _, m := range f.members {
		r.PIDs = append(r.PIDs, m.PID)
	}
	if on := len(f.members) - stopped - gone; on > 0 {
		return r, fmt.Errorf("somebody else continued %d of %d members", on, len(f.members))
	}
	return r, nil
}

// hold waits for as long as they are to be stopped, or until all of them have ended.
func (f *freezing) hold(ctx context.Context) error {
	over := time.After(f.length())
	for _, m := range f.members {
		select {
		case <-m.Exited():
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Heal continues all of them, and then waits until each goes on.
func (f *freezing) Heal(ctx context.Context, _ *chaos.Case) error {
	var errs []error
	for _, m := range f.members {
		errs = append(errs, m.Resume())
	}
	for _, m := range f.members {
		errs = append(errs, goesOn(ctx, m))
	}
	return errors.Join(errs...)
}

func (f *freezing) Cleanup(context.Context, *chaos.Case) error {
	for _, done := range f.done {
		done()
	}
	if f.letGo != nil {
		f.letGo()
	}
	return nil
}

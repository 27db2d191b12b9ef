package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/wait"
)

// Resize changes how many members the target has. The evidence is that it came to have as many ready ones, or was
// resized again before that.
type Resize struct {
	To     int           `yaml:"to,scalar" doc:"The new size."`
	Within time.Duration `yaml:"-" doc:"It must have come to that size in this time. Default 30s."`
}

// operationWithin is the default for how long an operation may take.
const operationWithin = 30 * time.Second

func (r Resize) String() string { return fmt.Sprintf("resize %d", r.To) + but("within", r.Within) }

// Validate wants a size of at least one.
func (r Resize) Validate() error {
	if r.To == 0 {
		return errors.New("to is missing: the new size, from 1")
	}
	if r.To < 0 || r.Within < 0 {
		return fmt.Errorf("resize to %d within %v: want a size of at least 1, and a positive duration or 0 for 30s",
			r.To, r.Within)
	}
	return nil
}

// Traits implements chaos.Fault.
func (r Resize) Traits() chaos.Traits {
	return chaos.Traits{Whole: true, Ends: []string{"stop"}, Resizes: true, Leaves: r.To}
}

// Begin makes an injection.
func (r Resize) Begin() chaos.Injection { return &resizing{Resize: r} }

type resizing struct {
	chaos.Steps
	Resize
	operator chaos.Operator
	from     int
}

func (r *resizing) Setup(_ context.Context, c *chaos.Case) (err error) {
	r.operator, err = chaos.Capability[chaos.Operator](c, "be resized")
	if r.from = c.Target.Want(); err == nil && r.from == r.To {
		return chaos.Refuse("the target has a size of %d already", r.To)
	}
	return err
}

func (r *resizing) Inject(context.Context, *chaos.Case) error { return r.operator.Resize(r.To) }

func (r *resizing) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	rec := history.Receipt{
		Tier: "member list", Evidence: map[string]string{"from": fmt.Sprint(r.from), "to": fmt.Sprint(r.To)},
	}
	ctx, cancel := within(ctx, r.Within)
	defer cancel()
	for {
		ready, err := ready(ctx, c)
		want := c.Target.Want()
		if want != r.To {
			rec.Evidence["then"] = fmt.Sprintf("resized to %d", want)
		}
		if want != r.To || ready == r.To {
			rec.At = c.Now()
			return rec, nil
		}
		if err := wait.For(ctx, 2*time.Millisecond); err != nil {
			return rec, fmt.Errorf("%d of %d members are ready: %w", ready, r.To, context.Cause(ctx))
		}
		if err != nil {
			return rec, err
		}
	}
}

// ready counts the target's ready members.
func ready(ctx context.Context, c *chaos.Case) (n int, err error) {
	members, err := c.Target.Members(ctx)
	for _, m := range members {
		if m.State == chaos.Ready {
			n++
		}
	}
	return n, err
}

// within bounds an operation by d, or by the default.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		d = operationWithin
	}
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("not done within %v", d))
}

package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/wait"
)

// Resize changes how many members the target has. The evidence is that it came to have as many ready ones, or was
// resized again before that.
type Resize struct {
	To     int           `doc:"The new size."`
	Within time.Duration `doc:"It must have come to that size in this time. Default 30s."`
}

// operationWithin is the default for how long an operation may take.
const operationWithin = 30 * time.Second

func (r Resize) String() string { return fmt.Sprintf("resize %d", r.To) + but("within", r.Within) }

// Validate wants a size of at least one.
func (r Resize) Validate() error {
	if r.To < 1 || r.Within < 0 {
		return fmt.Errorf("resize to %d within %v: want a size of at least 1, and a positive duration or 0 for 30s", r.To, r.Within)
	}
	return nil
}

// Traits implements chaos.Fault.
func (r Resize) Traits() Traits {
	return Traits{Whole: true, Ends: []string{"stop"}, Resizes: true, Leaves: r.To}
}

// Begin makes an injection.
func (r Resize) Begin() Injection { return &resizing{Resize: r} }

type resizing struct {
	Steps
	Resize
	operator Operator
	from     int
}

func (r *resizing) Setup(_ context.Context, c *Case) (err error) {
	r.operator, err = Capability[Operator](c, "be resized")
	if r.from = c.Target.Want(); err == nil && r.from == r.To {
		return refuse("the target has a size of %d already", r.To)
	}
	return err
}

func (r *resizing) Inject(context.Context, *Case) error { return r.operator.Resize(r.To) }

func (r *resizing) Confirm(ctx context.Context, c *Case) (history.Receipt, error) {
	rec := history.Receipt{Tier: "member list", Evidence: map[string]string{"from": say(r.from), "to": say(r.To)}}
	ctx, cancel := within(ctx, r.Within)
	defer cancel()
	for {
		ready, err := c.ready(ctx)
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
func (c *Case) ready(ctx context.Context) (n int, err error) {
	members, err := c.Target.Members(ctx)
	for _, m := range members {
		if m.State == Ready {
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

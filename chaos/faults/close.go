package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

// Close closes the target: it finishes what is queued, and stops. The evidence is that it returned in time and that
// none of its processes is left.
type Close struct {
	Within time.Duration `yaml:"within" zero:"no time: want a time such as 30s" doc:"It must return in this time. Default 30s."`
}

// Terminate stops the target now. The evidence is the same.
type Terminate struct {
	Within time.Duration `yaml:"within" zero:"no time: want a time such as 30s" doc:"It must return in this time. Default 30s."`
}

func (c Close) String() string     { return "close" + but("within", c.Within) }
func (t Terminate) String() string { return "terminate" + but("within", t.Within) }

// Validate wants a duration that is not negative.
func (c Close) Validate() error { return validWithin("close", c.Within) }

// Validate wants a duration that is not negative.
func (t Terminate) Validate() error { return validWithin("terminate", t.Within) }

// Traits implements chaos.Fault.
func (Close) Traits() chaos.Traits {
	return chaos.Traits{Whole: true, Ends: []string{"stop"}, Resizes: true}
}

// Begin makes an injection.
func (c Close) Begin() chaos.Injection { return &closing{within: c.Within, end: chaos.Operator.Close} }

// Traits implements chaos.Fault.
func (Terminate) Traits() chaos.Traits {
	return chaos.Traits{Whole: true, Ends: []string{"stop"}, Resizes: true, Abandons: true}
}

// Begin makes an injection.
func (t Terminate) Begin() chaos.Injection {
	return &closing{within: t.Within, end: chaos.Operator.Terminate}
}

type closing struct {
	chaos.Steps
	within   time.Duration
	end      func(chaos.Operator) error
	operator chaos.Operator
	before   []chaos.Member
	took     time.Duration
	said     error
}

func (x *closing) Setup(ctx context.Context, c *chaos.Case) (err error) {
	if x.operator, err = chaos.Capability[chaos.Operator](c, "be closed"); err != nil {
		return err
	}
	x.before, err = c.Target.Members(ctx)
	if err == nil && len(x.before) == 0 && c.Target.Want() == 0 {
		return chaos.Refuse("the target is closed already")
	}
	return err
}

func (x *closing) Inject(ctx context.Context, c *chaos.Case) error {
	ctx, cancel := within(ctx, x.within)
	defer cancel()
	done := make(chan error, 1)
	began := c.Now()
	go func() { done <- x.end(x.operator) }()
	select {
	case x.said = <-done:
		x.took = c.Now() - began
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (x *closing) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	r := history.Receipt{Tier: "/proc state", At: c.Now(), Evidence: map[string]string{"took": x.took.String()}}
	if x.said != nil {
		r.Evidence["said"] = x.said.Error()
	}
	members, err := c.Target.Members(ctx)
	if err == nil && len(members) > 0 {
		return r, fmt.Errorf("the target has %d members although it is closed", len(members))
	}
	left := 0
	for _, m := range x.before {
		if marked, ok := c.Target.(chaos.Marked); ok && !procfs.Marked(m.PID, chaos.MarkerEntry(marked.Marker())) {
			continue // gone, or the number is somebody else's now
		}
		if p, err := procfs.Read(m.PID); err == nil && p.Alive() {
			left++
		}
	}
	if left > 0 {
		return r, fmt.Errorf("%d of its processes are alive although it is closed", left)
	}
	r.Evidence["left"] = "0 processes"
	return r, nil
}

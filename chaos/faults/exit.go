package faults

import (
	"context"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Exit makes the victim exit in the middle of a task. The evidence is its wait status, and the line it writes before.
type Exit struct {
	Code int `yaml:"code,scalar" doc:"The exit code."`
}

func (x Exit) String() string { return fmt.Sprintf("exit %d", x.Code) }

// Validate wants a code that the kernel can carry.
func (x Exit) Validate() error {
	if x.Code < 0 || x.Code > 255 {
		return fmt.Errorf("exit code %d: want 0 to 255", x.Code)
	}
	return nil
}

// Traits implements chaos.Fault.
func (Exit) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (x Exit) Begin() chaos.Injection { return &exiting{Exit: x} }

type exiting struct {
	stressing
	Exit
}

func (x *exiting) stress() chaos.Stress { return chaos.Stress{Kind: "exit", Count: x.Code} }

func (x *exiting) Inject(ctx context.Context, c *chaos.Case) error {
	x.begin(ctx, c, x.stress())
	return nil
}

func (x *exiting) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	e, err := x.ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	if e.Known() && (e.Signal != "" || e.Code != x.Code) {
		return r, fmt.Errorf("the victim was to exit with %d, but ended with %s", x.Code, e)
	}
	return r, marked(e, x.stress().Marker(), &r)
}

package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Restart replaces every member, one after the other, as the target itself does it. The evidence is that none of the
// processes from before is a member any more.
type Restart struct {
	Within time.Duration `yaml:"within" zero:"no time: want a time such as 30s" doc:"It must return in this time. Default 30s."`
}

func (r Restart) String() string { return "restart" + but("within", r.Within) }

// Validate wants a duration that is not negative.
func (r Restart) Validate() error { return validWithin("restart", r.Within) }

func validWithin(what string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s within %v: want a positive duration, or 0 for 30s", what, d)
	}
	return nil
}

// Traits implements chaos.Fault.
func (Restart) Traits() chaos.Traits { return chaos.Traits{Whole: true, Ends: []string{"restart"}} }

// Begin makes an injection.
func (r Restart) Begin() chaos.Injection { return &restarting{Restart: r} }

type restarting struct {
	chaos.Steps
	Restart
	target chaos.Restarter
	before []chaos.Member
}

func (r *restarting) Setup(ctx context.Context, c *chaos.Case) (err error) {
	if r.target, err = chaos.Capability[chaos.Restarter](c, "be restarted"); err != nil {
		return err
	}
	r.before, err = c.Target.Members(ctx)
	return err
}

func (r *restarting) Inject(ctx context.Context, _ *chaos.Case) error {
	ctx, cancel := within(ctx, r.Within)
	defer cancel()
	return r.target.Restart(ctx)
}

func (r *restarting) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	rec := history.Receipt{
		Tier: "member list", At: c.Now(), Evidence: map[string]string{"replaced": fmt.Sprint(len(r.before))},
	}
	members, err := c.Target.Members(ctx)
	_, tellsReasons := r.target.(chaos.Operator)
	for _, old := range r.before {
		if !tellsReasons { // then it has ended them for this one
			rec.PIDs = append(rec.PIDs, old.PID)
		}
		for _, m := range members {
			if m.PID == old.PID && m.Slot == old.Slot && m.Generation == old.Generation {
				return rec, fmt.Errorf("slot %d has the same process as before, pid %d", m.Slot, m.PID)
			}
		}
	}
	return rec, err
}

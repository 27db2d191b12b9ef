package faults

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

// oomByRlimit lowers RLIMIT_DATA from outside.
type oomByRlimit struct {
	OOM
	stressing
	old unix.Rlimit
}

func (o *oomByRlimit) Setup(ctx context.Context, c *chaos.Case) error {
	if err := o.stressing.Setup(ctx, c); err != nil {
		return err
	}
	if !c.Tells("exits") {
		return chaos.Refuse(
			"the %s target does not tell what its members wrote: the allocator's message is the evidence",
			c.Target.Describe().Kind)
	}
	var err error
	if o.old, err = c.Victim.Limit(unix.RLIMIT_DATA, nil); err != nil && !errors.Is(err, chaos.ErrGone) {
		return chaos.Refuse("RLIMIT_DATA of the victim cannot be read: %v", err)
	}
	return err
}

func (o *oomByRlimit) Inject(ctx context.Context, c *chaos.Case) error {
	if limit := o.Limit; limit > 0 || o.old.Cur == unix.RLIM_INFINITY {
		if limit == 0 {
			data, err := procfs.Data(c.Victim.PID)
			if err != nil {
				return chaos.ErrGone
			}
			limit = data + headroom
		}
		lower := unix.Rlimit{Cur: uint64(limit), Max: o.old.Max}
		if _, err := c.Victim.Limit(unix.RLIMIT_DATA, &lower); err != nil {
			return fmt.Errorf("limit the victim's memory: %w", err)
		}
	}
	o.begin(ctx, c, chaos.Stress{Kind: "alloc"})
	return nil
}

func (o *oomByRlimit) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	e, err := o.ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	r.Mechanism = "RLIMIT_DATA"
	who, said := outOfMemory(e.Stderr())
	if said == "" || e.Signal != "" {
		return r,
			fmt.Errorf("the victim ended with %s, and neither its allocator nor its runtime complained: it wrote %q",
				e, firstLine(e.Stderr()))
	}
	r.Evidence[who] = said
	return r, nil
}

// Heal gives a victim that is alive its limit back.
func (o *oomByRlimit) Heal(_ context.Context, c *chaos.Case) error {
	if c.Victim.Gone() {
		return chaos.ErrNothingToHeal
	}
	if _, err := c.Victim.Limit(unix.RLIMIT_DATA, &o.old); !errors.Is(err, chaos.ErrGone) {
		return err
	}
	return chaos.ErrNothingToHeal
}

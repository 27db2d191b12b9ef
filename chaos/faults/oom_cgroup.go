package faults

import (
	"context"
	"errors"
	"fmt"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// oomByCgroup is the kernel's OOM killer.
type oomByCgroup struct {
	OOM
	filling
	kills uint64
	unpin func() error
}

func (o *oomByCgroup) Setup(ctx context.Context, c *chaos.Case) error {
	return o.prepare(ctx, c, takeMeNever)
}

func (o *oomByCgroup) Inject(ctx context.Context, c *chaos.Case) (err error) {
	if o.kills, err = o.group.OOMKills(); err != nil {
		return err
	}
	if o.unpin, err = o.group.Pin(); err != nil {
		return err
	}
	if err := o.limit(); err != nil {
		return err
	}
	if o.hog != nil {
		return o.hog.attack(c)
	}
	o.begin(ctx, c, chaos.Stress{Kind: "alloc"})
	return nil
}

// limit lowers the group's limit to the fault's own, and sees to it that there is one.
func (o *oomByCgroup) limit() error {
	limit := o.Limit
	if own, err := o.group.MemoryMax(); err != nil || limit == 0 && own != 0 {
		return err
	}
	if limit == 0 {
		used, err := o.group.MemoryCurrent()
		if err != nil {
			return err
		}
		limit = used + headroom
	}
	return o.group.SetMemoryMax(limit)
}

func (o *oomByCgroup) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	ending := o.ending
	if o.hog != nil {
		ending = o.hog.ending
	}
	e, err := ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	r.Tier, r.Mechanism = "cgroup oom_kill", o.mechanism(cgroup.Memory)
	after, err := o.group.OOMKills() // while the hog may live: if it has to be stopped, these kills are not its own
	if err != nil {
		return r, fmt.Errorf("read the OOM counter after the victim's end: %w", err)
	}
	hogs := uint64(0)
	if o.hog != nil {
		how, stopped := o.hog.finished()
		r.Evidence["hog"] = how
		if !stopped {
			if o.hog.killed {
				hogs = 1
			}
			if after, err = o.group.OOMKills(); err != nil {
				return r, fmt.Errorf("read the OOM counter after the hog's end: %w", err)
			}
		}
	}
	c.CountOOM(int64(after - o.kills))
	r.Evidence["oom_kill"] = fmt.Sprintf("%d → %d", o.kills, after)
	if after <= o.kills+hogs || e.Known() && e.Signal != "SIGKILL" {
		return r, fmt.Errorf("the victim ended with %s, and the kernel's OOM killer had no part in it", e)
	}
	return r, nil
}

// Heal is for a victim that lives on.
func (o *oomByCgroup) Heal(ctx context.Context, c *chaos.Case) error {
	if o.hog == nil {
		return o.stressing.Heal(ctx, c)
	}
	return o.hog.spare(c)
}

// Cleanup unpins before it releases: the group is removed then.
func (o *oomByCgroup) Cleanup(ctx context.Context, c *chaos.Case) error {
	var err error
	if o.hog != nil {
		o.hog.stop()
	}
	if o.unpin != nil {
		err = o.unpin()
	}
	return errors.Join(o.stressing.Cleanup(ctx, c), err, o.release())
}

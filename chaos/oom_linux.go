package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// oomByRlimit lowers RLIMIT_DATA from outside.
type oomByRlimit struct {
	OOM
	stressing
	old unix.Rlimit
}

func (o *oomByRlimit) Setup(ctx context.Context, c *Case) error {
	if err := o.stressing.Setup(ctx, c); err != nil {
		return err
	}
	if !c.Tells("exits") {
		return refuse("the %s target does not tell what its members wrote: the allocator's message is the evidence", c.Target.Describe().Kind)
	}
	var err error
	if o.old, err = c.Victim.limit(unix.RLIMIT_DATA, nil); err != nil && !errors.Is(err, ErrGone) {
		return refuse("RLIMIT_DATA of the victim cannot be read: %v", err)
	}
	return err
}

func (o *oomByRlimit) Inject(ctx context.Context, c *Case) error {
	if limit := o.Limit; limit > 0 || o.old.Cur == unix.RLIM_INFINITY {
		if limit == 0 {
			data, err := procfs.Data(c.Victim.PID)
			if err != nil {
				return ErrGone
			}
			limit = data + headroom
		}
		lower := unix.Rlimit{Cur: uint64(limit), Max: o.old.Max}
		if _, err := c.Victim.limit(unix.RLIMIT_DATA, &lower); err != nil {
			return fmt.Errorf("limit the victim's memory: %w", err)
		}
	}
	o.begin(ctx, c, Stress{Kind: "alloc"})
	return nil
}

func (o *oomByRlimit) Confirm(ctx context.Context, c *Case) (history.Receipt, error) {
	e, err := o.ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	r.Mechanism = "RLIMIT_DATA"
	who, said := outOfMemory(e.Stderr())
	if said == "" || e.Signal != "" {
		return r, fmt.Errorf("the victim ended with %s, and neither its allocator nor its runtime complained: it wrote %q", e, firstLine(e.Stderr()))
	}
	r.Evidence[who] = said
	return r, nil
}

// Heal gives a victim that is alive its limit back.
func (o *oomByRlimit) Heal(_ context.Context, c *Case) error {
	if c.Victim.Gone() {
		return errNothingToHeal
	}
	if _, err := c.Victim.limit(unix.RLIMIT_DATA, &o.old); !errors.Is(err, ErrGone) {
		return err
	}
	return errNothingToHeal
}

// oomByRSS watches the resident set.
type oomByRSS struct {
	OOM
	stressing
	limit int64
	seen  int64
}

func (o *oomByRSS) Inject(ctx context.Context, c *Case) error {
	p, err := procfs.Read(c.Victim.PID)
	if err != nil {
		return ErrGone
	}
	if o.limit = o.Limit; o.limit == 0 {
		o.limit = p.RSS + headroom
	}
	o.begin(ctx, c, Stress{Kind: "alloc", Bytes: o.limit + headroom, Hold: fatalWait})
	for o.seen <= o.limit {
		if p, err = procfs.Read(c.Victim.PID); err != nil || c.Victim.Gone() {
			return ErrGone
		}
		o.seen = p.RSS
		if err := wait.For(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return c.Victim.Send(unix.SIGKILL)
}

func (o *oomByRSS) Confirm(ctx context.Context, c *Case) (history.Receipt, error) {
	e, err := o.ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	r.Mechanism = "RSS"
	r.Evidence["resident"] = fmt.Sprintf("%d bytes, limit %d", o.seen, o.limit)
	if e.Known() && e.Signal != "SIGKILL" {
		return r, fmt.Errorf("the victim ended with %s before it was killed for its memory", e)
	}
	return r, nil
}

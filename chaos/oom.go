package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// OOM lets the victim allocate memory until a limit ends it. There are three strengths, and the receipt names the one
// that was used:
//
//	cgroup   the kernel's OOM killer in a memory cgroup: the wait status shows SIGKILL and the group's oom_kill counter
//	         has grown
//	rlimit   RLIMIT_DATA: exit code 2, and on stderr the allocator's message, or that of the Go runtime where it got no
//	         memory for itself
//	rss      this process watches the resident set and sends SIGKILL when it passes the limit
type OOM struct {
	Mechanism string `doc:"cgroup, rlimit, rss, or any for the first that this host offers. Default any."`
	Limit     int64  `doc:"Bytes of memory at which the victim ends. Default: its own limit, else 64 MiB above what it uses."`
}

var oomMechanisms = []string{"", "any", "cgroup", "rlimit", "rss"}

// headroom is how much a victim without a limit of its own may allocate.
const headroom = 64 << 20

func (o OOM) String() string {
	if o.Mechanism == "" || o.Mechanism == "any" {
		return "oom"
	}
	return "oom " + o.Mechanism
}

// Validate knows the mechanisms.
func (o OOM) Validate() error {
	if !slices.Contains(oomMechanisms, o.Mechanism) {
		return fmt.Errorf("oom by %q: want any, cgroup, rlimit or rss", o.Mechanism)
	}
	if o.Limit < 0 {
		return fmt.Errorf("oom at %d bytes: want a positive limit, or 0 for the victim's own", o.Limit)
	}
	return nil
}

// Begin makes an injection.
func (o OOM) Begin() Injection { return &oomByAny{OOM: o} }

// oomByAny leaves the work to the mechanism that Setup found.
type oomByAny struct {
	Injection
	OOM
}

// Setup finds the mechanism.
func (o *oomByAny) Setup(ctx context.Context, c *Case) error {
	makers := map[string]func() Injection{
		"cgroup": func() Injection { return &oomByCgroup{OOM: o.OOM} },
		"rlimit": func() Injection { return &oomByRlimit{OOM: o.OOM} },
		"rss":    func() Injection { return &oomByRSS{OOM: o.OOM} },
	}
	if make := makers[o.Mechanism]; make != nil {
		o.Injection = make()
		return o.Injection.Setup(ctx, c)
	}
	var why []error
	for _, name := range []string{"cgroup", "rlimit", "rss"} {
		o.Injection = makers[name]()
		err := o.Injection.Setup(ctx, c)
		var refused *RefusedError
		if !errors.As(err, &refused) {
			return err
		}
		why = append(why, err, o.Injection.Cleanup(ctx, c))
	}
	return refuse("%v", errors.Join(why...))
}

// oomByCgroup is the kernel's OOM killer.
type oomByCgroup struct {
	OOM
	stressing
	limiting
	kills uint64
	unpin func() error
}

func (o *oomByCgroup) Setup(ctx context.Context, c *Case) error {
	if err := o.stressing.Setup(ctx, c); err != nil {
		return err
	}
	return o.take(c, cgroup.Memory)
}

func (o *oomByCgroup) Inject(ctx context.Context, c *Case) (err error) {
	if o.kills, err = o.group.OOMKills(); err != nil {
		return err
	}
	if o.unpin, err = o.group.Pin(); err != nil {
		return err
	}
	own, err := o.group.MemoryMax()
	if err != nil {
		return err
	}
	if o.Limit > 0 || own == 0 {
		limit := o.Limit
		if limit == 0 {
			used, err := o.group.MemoryCurrent()
			if err != nil {
				return err
			}
			limit = used + headroom
		}
		if err := o.group.SetMemoryMax(limit); err != nil {
			return err
		}
	}
	o.begin(ctx, c, Stress{Kind: "alloc"})
	return nil
}

func (o *oomByCgroup) Confirm(ctx context.Context, c *Case) (history.Receipt, error) {
	e, err := o.ending(ctx, c)
	if err != nil {
		return history.Receipt{}, err
	}
	r := e.Receipt()
	after, err := o.group.OOMKills()
	if err != nil {
		return r, fmt.Errorf("read the OOM counter after the victim's end: %w", err)
	}
	c.CountOOM(int64(after - o.kills))
	r.Tier, r.Mechanism = "cgroup oom_kill", o.mechanism(cgroup.Memory)
	r.Evidence["oom_kill"] = fmt.Sprintf("%d → %d", o.kills, after)
	if after == o.kills || e.Known() && e.Signal != "SIGKILL" {
		return r, fmt.Errorf("the victim ended with %s, and the kernel's OOM killer had no part in it", e)
	}
	return r, nil
}

// Cleanup unpins before it releases: the group is removed then.
func (o *oomByCgroup) Cleanup(ctx context.Context, c *Case) error {
	var err error
	if o.unpin != nil {
		err = o.unpin()
	}
	return errors.Join(o.stressing.Cleanup(ctx, c), err, o.release())
}

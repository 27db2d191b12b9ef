package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// OOM exhausts the victim's memory until a limit ends it: the victim allocates by itself where the target can make it. There
// are three strengths, and the receipt names the one that was used:
//
//	cgroup   the kernel's OOM killer in a memory cgroup: the wait status shows SIGKILL and the group's oom_kill counter
//	         has grown. A victim that cannot be told to allocate shares its group with a hog for as long, and is made the
//	         one that the kernel takes first
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
	s := "oom"
	if o.Mechanism != "" && o.Mechanism != "any" {
		s += " " + o.Mechanism
	}
	if o.Limit != 0 {
		s += fmt.Sprintf(" at %d bytes", o.Limit)
	}
	return s
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

// Traits implements chaos.Fault.
func (OOM) Traits() Traits { return Traits{} }

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

package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// OOM exhausts the victim's memory until a limit ends it: the victim allocates by itself where the target can make it.
// There are two strengths, and the receipt names the one that was used:
//
//	cgroup   the kernel's OOM killer in a memory cgroup: the wait status shows SIGKILL and the group's oom_kill
//	         counter has grown. A victim that cannot be told to allocate shares its group with a hog for as long, and
//	         is made the one that the kernel takes first
//	rlimit   RLIMIT_DATA: exit code 2, and on stderr the allocator's message, or that of the Go runtime where it got
//	         no memory for itself
type OOM struct {
	Limit     int64  `yaml:"limit" zero:"no memory at all: want a size such as 64MiB" doc:"The limit to run into. Default: the victim's own, else 64MiB above what it uses."`
	Mechanism string `yaml:"mechanism,scalar" enum:"any cgroup rlimit" doc:"Default any: the strongest that can be had here."`
}

var oomMechanisms = []string{"", "any", "cgroup", "rlimit"}

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
		return fmt.Errorf("oom by %q: want any, cgroup or rlimit", o.Mechanism)
	}
	if o.Limit < 0 {
		return fmt.Errorf("oom at %d bytes: want a positive limit, or 0 for the victim's own", o.Limit)
	}
	return nil
}

// Traits implements chaos.Fault.
func (OOM) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (o OOM) Begin() chaos.Injection { return &oomByAny{OOM: o} }

// oomByAny leaves the work to the mechanism that Setup found.
type oomByAny struct {
	chaos.Injection
	OOM
	refused error // why not a stronger mechanism
}

// Confirm says in the receipt why a stronger mechanism was not used.
func (o *oomByAny) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	r, err := o.Injection.Confirm(ctx, c)
	if o.refused != nil && r.Evidence != nil {
		r.Evidence["no cgroup"] = o.refused.Error()
	}
	return r, err
}

// Setup finds the mechanism.
func (o *oomByAny) Setup(ctx context.Context, c *chaos.Case) error {
	makers := map[string]func() chaos.Injection{
		"cgroup": func() chaos.Injection { return &oomByCgroup{OOM: o.OOM} },
		"rlimit": func() chaos.Injection { return &oomByRlimit{OOM: o.OOM} },
	}
	if make := makers[o.Mechanism]; make != nil {
		o.Injection = make()
		return o.Injection.Setup(ctx, c)
	}
	var why []error
	for _, name := range []string{"cgroup", "rlimit"} {
		o.Injection = makers[name]()
		err := o.Injection.Setup(ctx, c)
		var refused *chaos.RefusedError
		if !errors.As(err, &refused) {
			o.refused = errors.Join(why...)
			return err
		}
		why = append(why, err, o.Injection.Cleanup(ctx, c))
	}
	return chaos.Refuse("%v", errors.Join(why...))
}

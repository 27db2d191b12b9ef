package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// CPU throttles the victim for a while. The evidence is the growth of its cgroup's nr_throttled: a victim that has
// nothing to do is not throttled, and the injection unconfirmed.
type CPU struct {
	Quota float64       `yaml:"quota,scalar" zero:"no CPU at all: want at least 1% (or the fault pause)" doc:"Of one CPU. Default 5%."`
	For   time.Duration `yaml:"for" zero:"no time: want a time such as 1s" doc:"Default 1s."`
}

func (t CPU) quota() float64 { return cmp.Or(t.Quota, 0.05) }

func (t CPU) length() time.Duration { return cmp.Or(t.For, time.Second) }

func (t CPU) String() string { return fmt.Sprintf("cpu %g%% for %v", t.quota()*100, t.length()) }

// Validate wants what the kernel takes.
func (t CPU) Validate() error {
	if t.Quota != 0 && t.Quota < 0.01 || t.For < 0 {
		return fmt.Errorf("cpu quota %g%% for %v: want at least 1%%, or 0 for 5%%, and a positive duration",
			t.Quota*100, t.For)
	}
	return nil
}

// Traits implements chaos.Fault.
func (CPU) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (t CPU) Begin() chaos.Injection { return &throttling{CPU: t} }

type throttling struct {
	chaos.Steps
	CPU
	limiting
	before uint64
}

func (t *throttling) Setup(_ context.Context, c *chaos.Case) error { return t.confine(c, cgroup.CPU) }

func (t *throttling) Inject(context.Context, *chaos.Case) (err error) {
	if t.before, err = t.group.CPUThrottled(); err != nil {
		return err
	}
	return t.group.SetCPUMax(t.quota())
}

func (t *throttling) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	r := history.Receipt{Tier: "cgroup nr_throttled", Mechanism: t.mechanism(cgroup.CPU), At: c.Now()}
	if ended, err := c.Hold(ctx, t.length()); err != nil || ended {
		return r, errors.Join(err, errors.New("the victim ended while it was throttled"))
	}
	after, err := t.group.CPUThrottled()
	r.Evidence = map[string]string{"nr_throttled": fmt.Sprintf("%d → %d", t.before, after)}
	if err == nil && after == t.before {
		err = errors.New("the victim did not use as much CPU as it was allowed")
	}
	return r, err
}

func (t *throttling) Heal(context.Context, *chaos.Case) error    { return t.release() }
func (t *throttling) Cleanup(context.Context, *chaos.Case) error { return t.release() }

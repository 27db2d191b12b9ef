package faults

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Poison submits one task that ends its member each time it runs, by its exit or by the memory that it takes. The
// evidence is the target's own record of the deaths, when it has given the task up.
type Poison struct {
	Code   int           `yaml:"code,scalar" zero:"no death: want 1 to 255" doc:"The exit code its workers die with. Default 1."`
	By     string        `yaml:"by" enum:"exit memory" doc:"How it ends its member. By memory: it takes more than its member may have, until the kernel's OOM killer ends that; the target must limit its members' memory. Default exit."`
	Within time.Duration `yaml:"-" doc:"The task must have been given up in this time. Default 30s."`
}

func (p Poison) deadly() chaos.Deadly {
	if p.By == "memory" {
		return chaos.Deadly{Memory: true}
	}
	return chaos.Deadly{Code: max(p.Code, 1)}
}

func (p Poison) String() string {
	s := "poison"
	if p.By != "" && p.By != "exit" {
		s += " " + p.By
	}
	if s == "poison" || p.Code != 0 {
		s += " " + strconv.Itoa(max(p.Code, 1))
	}
	return s + but("within", p.Within)
}

// Validate wants a code that the kernel can carry, or none.
func (p Poison) Validate() error {
	switch {
	case p.By != "" && p.By != "exit" && p.By != "memory":
		return fmt.Errorf("poison by %q: want exit or memory", p.By)
	case p.By == "memory" && p.Code != 0:
		return fmt.Errorf("poison by memory with exit code %d: the kernel kills its members: leave the code out",
			p.Code)
	case p.Code < 0 || p.Code > 255:
		return fmt.Errorf("poison with exit code %d: want 1 to 255", p.Code)
	}
	return validWithin("poison", p.Within)
}

// Marker is what a Poisoner's task writes to its member's stderr before it ends it.
func (p Poison) Marker() string {
	if d := p.deadly(); !d.Memory {
		return fmt.Sprintf("respawn poison: exit %d", d.Code)
	}
	return "respawn poison: memory"
}

// Traits implements chaos.Fault.
func (p Poison) Traits() chaos.Traits { return chaos.Traits{Whole: true, Marker: p.Marker()} }

// Begin makes an injection.
func (p Poison) Begin() chaos.Injection { return &poisoning{Poison: p} }

type poisoning struct {
	chaos.Steps
	Poison
	poisoner chaos.Poisoner
	died     chaos.Poisoned
}

func (p *poisoning) Setup(_ context.Context, c *chaos.Case) (err error) {
	p.poisoner, err = chaos.Capability[chaos.Poisoner](c, "run a deadly task")
	return err
}

func (p *poisoning) Inject(ctx context.Context, _ *chaos.Case) (err error) {
	ctx, cancel := within(ctx, p.Within)
	defer cancel()
	p.died, err = p.poisoner.Poison(ctx, p.deadly())
	return err
}

func (p *poisoning) Confirm(_ context.Context, c *chaos.Case) (history.Receipt, error) {
	tier := chaos.TierWaitStatus
	if !c.Tells("exits") { // who has seen that they ended does not know how
		tier = chaos.TierReadable
	}
	d := p.died
	r := history.Receipt{Tier: tier, At: c.Now(), PIDs: d.PIDs, Evidence: map[string]string{
		"deaths": fmt.Sprint(len(d.PIDs)), "given up": d.Verdict,
	}}
	if p.By == "memory" {
		r.Evidence["oom_kill"] = fmt.Sprintf("+%d", d.OOMKills)
		c.CountOOM(int64(d.OOMKills))
	}
	switch {
	case len(d.PIDs) == 0:
		return r, fmt.Errorf("nobody died of the task: %s", d.Verdict)
	case p.By == "memory" && d.OOMKills < len(d.PIDs):
		return r, fmt.Errorf("%d died of the task, and the kernel's OOM killer has ended %d", len(d.PIDs), d.OOMKills)
	}
	return r, nil
}

package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// Poison submits one task that ends its member each time it runs. The evidence is the target's own record of the deaths,
// when it has given the task up.
type Poison struct {
	Code   int           `yaml:"code,scalar" zero:"no death: want 1 to 255" doc:"The exit code its workers die with. Default 1."`
	Within time.Duration `yaml:"-" doc:"The task must have been given up in this time. Default 30s."`
}

func (p Poison) code() int { return max(p.Code, 1) }

func (p Poison) String() string { return fmt.Sprintf("poison %d", p.code()) + but("within", p.Within) }

// Validate wants a code that the kernel can carry.
func (p Poison) Validate() error {
	if p.Code < 0 || p.Code > 255 {
		return fmt.Errorf("poison with exit code %d: want 1 to 255", p.Code)
	}
	return validWithin("poison", p.Within)
}

// Marker is what a Poisoner's task writes to its member's stderr before it ends it.
func (p Poison) Marker() string { return fmt.Sprintf("respawn poison: exit %d", p.code()) }

// Traits implements chaos.Fault.
func (p Poison) Traits() chaos.Traits { return chaos.Traits{Whole: true, Marker: p.Marker()} }

// Begin makes an injection.
func (p Poison) Begin() chaos.Injection { return &poisoning{Poison: p} }

type poisoning struct {
	chaos.Steps
	Poison
	poisoner chaos.Poisoner
	pids     []int
	verdict  string
}

func (p *poisoning) Setup(_ context.Context, c *chaos.Case) (err error) {
	p.poisoner, err = chaos.Capability[chaos.Poisoner](c, "run a deadly task")
	return err
}

func (p *poisoning) Inject(ctx context.Context, _ *chaos.Case) (err error) {
	ctx, cancel := within(ctx, p.Within)
	defer cancel()
	p.pids, p.verdict, err = p.poisoner.Poison(ctx, p.code())
	return err
}

func (p *poisoning) Confirm(_ context.Context, c *chaos.Case) (history.Receipt, error) {
	tier := chaos.TierWaitStatus
	if !c.Tells("exits") { // who has seen that they ended does not know how
		tier = chaos.TierReadable
	}
	r := history.Receipt{Tier: tier, At: c.Now(), PIDs: p.pids, Evidence: map[string]string{
		"deaths": fmt.Sprint(len(p.pids)), "given up": p.verdict,
	}}
	if len(p.pids) == 0 {
		return r, fmt.Errorf("nobody died of the task: %s", p.verdict)
	}
	return r, nil
}

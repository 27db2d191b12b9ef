package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// PIDs lets the victim run into the limit on processes of its cgroup: it starts children until it is refused one. The
// evidence is the EAGAIN that it saw, or that its runtime died of, and the group's own count of refusals.
type PIDs struct {
	Limit int `yaml:"limit,scalar" zero:"no room at all: want at least 1" doc:"Processes and threads that the victim's cgroup may have more than it has. Default 2."`
}

func (p PIDs) limit() int { return cmp.Or(p.Limit, 2) }

func (p PIDs) String() string { return fmt.Sprintf("pids %d", p.limit()) }

// Validate wants a positive limit.
func (p PIDs) Validate() error {
	if p.Limit < 0 {
		return fmt.Errorf("pids limit %d: want a positive number, or 0 for 2", p.Limit)
	}
	return nil
}

// Traits implements chaos.Fault.
func (PIDs) Traits() chaos.Traits { return chaos.Traits{} }

// Begin makes an injection.
func (p PIDs) Begin() chaos.Injection { return &exhaustingPIDs{PIDs: p} }

type exhaustingPIDs struct {
	PIDs
	stressing
	limiting
	before uint64
	unpin  func() error
}

func (p *exhaustingPIDs) Setup(ctx context.Context, c *chaos.Case) error {
	if err := p.stressing.Setup(ctx, c); err != nil {
		return err
	}
	return p.confine(c, cgroup.Pids)
}

func (p *exhaustingPIDs) Inject(ctx context.Context, c *chaos.Case) (err error) {
	if p.unpin, err = p.group.Pin(); err != nil {
		return err
	}
	if p.before, err = p.group.PidsRefused(); err != nil {
		return err
	}
	have, err := p.group.PidsCurrent()
	if err != nil {
		return err
	}
	if err := p.group.SetPidsMax(int(have) + p.limit()); err != nil {
		return err
	}
	p.begin(ctx, c, chaos.Stress{Kind: "pids", Count: p.limit() + 1})
	return nil
}

func (p *exhaustingPIDs) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	answer, err := p.answered(ctx, c)
	r := history.Receipt{
		Tier: "errno in the victim", Mechanism: p.mechanism(cgroup.Pids), At: c.Now(), Evidence: map[string]string{},
	}
	if errors.Is(err, errDied) { // a Go runtime that is refused a thread does not live on
		e, endErr := c.Ending(ctx)
		if endErr != nil {
			return r, endErr
		}
		r = e.Receipt()
		r.Mechanism = p.mechanism(cgroup.Pids)
		answer, err = chaos.Stressed{Text: "EAGAIN: " + e.String(), Refused: "EAGAIN"}, nil
		if !strings.Contains(e.Stderr(), "errno=11") { // the runtime's words
			err = fmt.Errorf("the victim ended with %s, and not of EAGAIN", e)
		}
	}
	r.Evidence["answer"] = answer.Text
	after, readErr := p.group.PidsRefused()
	r.Evidence["refused"] = fmt.Sprintf("%d → %d", p.before, after)
	switch {
	case err != nil || readErr != nil:
		return r, errors.Join(err, readErr)
	case answer.Refused != "EAGAIN":
		return r, fmt.Errorf("the victim answered %q, not EAGAIN", answer.Text)
	case after == p.before:
		return r, errors.New("the victim's cgroup refused nothing")
	}
	return r, nil
}

func (p *exhaustingPIDs) Heal(context.Context, *chaos.Case) error {
	if p.group == nil {
		return chaos.ErrNothingToHeal
	}
	return cgroup.Restore(p.group.Saved())
}

func (p *exhaustingPIDs) Cleanup(ctx context.Context, c *chaos.Case) error {
	var err error
	if p.unpin != nil {
		err = p.unpin()
	}
	return errors.Join(p.stressing.Cleanup(ctx, c), err, p.release())
}

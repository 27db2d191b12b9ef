package faults

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// tierTarget is the tier of what the target that harms itself tells of it.
const tierTarget = "the target's own count"

// harming is a fault on its way that the target itself has to do. Its evidence is what the target counts.
type harming struct {
	chaos.Steps
	harm     chaos.Harm
	harmer   chaos.Harmer
	evidence map[string]string
}

func (h *harming) Setup(_ context.Context, c *chaos.Case) (err error) {
	if v := c.Victim; v != nil {
		h.harm.Slot, h.harm.PID = v.Slot, v.PID
	}
	h.harmer, err = chaos.Capability[chaos.Harmer](c, "harm itself by "+h.harm.Kind)
	return err
}

func (h *harming) Inject(ctx context.Context, _ *chaos.Case) (err error) {
	h.evidence, err = h.harmer.Harm(ctx, h.harm)
	return err
}

func (h *harming) Confirm(_ context.Context, c *chaos.Case) (history.Receipt, error) {
	return history.Receipt{Tier: tierTarget, At: c.Now(), Evidence: maps.Clone(h.evidence)}, nil
}

// linked is harm to the victim's links, on its way.
type linked struct {
	harming
	lasts  time.Duration
	healed bool
}

func (l *linked) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	if _, err := c.Hold(ctx, l.lasts); err != nil {
		return history.Receipt{}, err
	}
	end, err := l.harmer.Heal(ctx, l.harm)
	r := history.Receipt{Tier: tierTarget, At: c.Now(), Evidence: maps.Clone(l.evidence)}
	if err != nil {
		return r, err
	}
	l.healed = true
	maps.Copy(r.Evidence, end)
	if n := end["bytes"]; n == "" || n == "0" {
		return r, errors.New("nothing came by meanwhile")
	}
	return r, nil
}

func (l *linked) Heal(ctx context.Context, _ *chaos.Case) error {
	if l.healed {
		return nil
	}
	_, err := l.harmer.Heal(ctx, l.harm)
	return err
}

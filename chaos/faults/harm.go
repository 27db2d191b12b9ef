package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// harming is a fault on its way that the target itself has to do. Its evidence is what the target counts, and proves
// says what it lacks.
type harming struct {
	chaos.Steps
	harm     chaos.Harm
	harmer   chaos.Harmer
	proves   func(evidence map[string]string) error
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
	return history.Receipt{Tier: history.ToldByTarget, At: c.Now(), Evidence: maps.Clone(h.evidence)},
		h.proves(h.evidence)
}

// counts takes a fact that is a number; one that is missing or something else is an error that names it.
func counts(evidence map[string]string, fact string) (int, error) {
	n, err := strconv.Atoi(evidence[fact])
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the target's evidence has %q for %q: want a number", evidence[fact], fact)
	}
	return n, nil
}

// lasting is harm that is taken back after a while, on its way. What proves it is known by then.
type lasting struct {
	harming
	lasts  time.Duration
	healed bool
}

func (l *lasting) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	if _, err := c.Hold(ctx, l.lasts); err != nil {
		return history.Receipt{}, err
	}
	end, err := l.harmer.Heal(ctx, l.harm)
	r := history.Receipt{Tier: history.ToldByTarget, At: c.Now(), Evidence: maps.Clone(l.evidence)}
	if err != nil {
		return r, err
	}
	l.healed = true
	maps.Copy(r.Evidence, end)
	return r, l.proves(r.Evidence)
}

// heldUp wants bytes that were.
func heldUp(evidence map[string]string) error {
	n, err := counts(evidence, "bytes")
	if err == nil && n == 0 {
		err = errors.New("nothing came by meanwhile")
	}
	return err
}

func (l *lasting) Heal(ctx context.Context, _ *chaos.Case) error {
	if l.healed {
		return nil
	}
	_, err := l.harmer.Heal(ctx, l.harm)
	return err
}

package command

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/respawn-go/respawn/internal/wait"
)

// Restart implements chaos.Restarter: the program is asked to, and then as many members as there are to be must be
// others.
func (t *Target) Restart(ctx context.Context) error {
	before, err := t.Workers(ctx)
	if err != nil {
		return err
	}
	r := t.settings.Restart
	if len(r.Argv) > 0 {
		_, err = t.program.Run(ctx, r.Argv)
	} else {
		err = t.program.Signal(number(r.Signal))
	}
	if err != nil {
		return fmt.Errorf("restart %s: %w", t.name(), err)
	}
	for {
		now, err := t.Workers(ctx)
		if err != nil {
			return err
		}
		old := slices.DeleteFunc(slices.Clone(now), func(pid int) bool { return !slices.Contains(before, pid) })
		if len(old) == 0 && len(now) >= t.settings.Size.Least() {
			return nil
		}
		if ended := wait.For(ctx, 20*time.Millisecond); ended != nil {
			return fmt.Errorf("%s was asked to restart: %d members are there, %d of them from before: %w",
				t.name(), len(now), len(old), ended)
		}
	}
}

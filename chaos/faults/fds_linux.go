package faults

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

type exhaustingFDs struct {
	FDs
	stressing
	old unix.Rlimit
}

func (f *exhaustingFDs) Inject(ctx context.Context, c *chaos.Case) error {
	open, err := procfs.Files(c.Victim.PID)
	if err != nil {
		return chaos.ErrGone
	}
	if open >= f.limit() {
		return chaos.Refuse("the victim has %d descriptors open, not fewer than the limit of %d", open, f.limit())
	}
	if f.old, err = c.Victim.Limit(unix.RLIMIT_NOFILE, nil); err != nil {
		return err
	}
	lower := unix.Rlimit{Cur: uint64(f.limit()), Max: f.old.Max}
	if _, err := c.Victim.Limit(unix.RLIMIT_NOFILE, &lower); err != nil {
		return fmt.Errorf("limit the victim's descriptors: %w", err)
	}
	f.begin(ctx, c, chaos.Stress{Kind: "fds", Count: f.limit() + 1})
	return nil
}

func (f *exhaustingFDs) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	answer, err := f.answered(ctx, c)
	r := history.Receipt{Tier: "errno in the victim", At: c.Now(), Evidence: map[string]string{"answer": answer.Text}}
	if err == nil && answer.Refused != "EMFILE" {
		err = fmt.Errorf("the victim answered %q, not EMFILE", answer.Text)
	}
	return r, err
}

func (f *exhaustingFDs) Heal(_ context.Context, c *chaos.Case) error {
	if c.Victim.Gone() || f.old.Cur == 0 {
		return chaos.ErrNothingToHeal
	}
	if _, err := c.Victim.Limit(unix.RLIMIT_NOFILE, &f.old); !errors.Is(err, chaos.ErrGone) {
		return err
	}
	return chaos.ErrNothingToHeal
}

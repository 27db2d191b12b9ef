package command

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
)

// twinsShow is how long one that was started again and has its members is left alone: it may find those of before, and
// end them.
const twinsShow = 500 * time.Millisecond

// Succeed implements chaos.Succeeded: the command is started again, as whoever finds its program ended would do.
func (t *Target) Succeed(ctx context.Context, look func()) (s chaos.Succession, err error) {
	next, err := t.program.Again()
	if err != nil {
		return s, err
	}
	defer func() {
		if endErr := next.End(); err == nil {
			err = endErr
		}
	}()
	for {
		table, err := procfs.Snapshot()
		if err != nil {
			return s, err
		}
		s.Members = len(t.settings.Rule.Below(table, next.PID(), next.Owns))
		select {
		case <-next.Exited():
			look()
			s.Ended = next.Exit().String() + lastWords(next)
			return s, nil
		default:
		}
		if s.Members >= t.settings.Size.Least() {
			_ = wait.For(ctx, twinsShow)
			break
		}
		if wait.For(ctx, 20*time.Millisecond) != nil {
			break
		}
	}
	look()
	return s, nil
}

package scenarios

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/scenarios/targets"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/server"
	"github.com/respawn-go/respawn/scenarios/targets/server/web"
)

// TargetMaker makes the target of a run of the caller's own. dir is a scratch directory that lives as long as the run; size
// is what the scenario wants, 0 if it does not say. witness is the file in which tasks record their executions, "" without.
type TargetMaker func(ctx context.Context, dir string, size int) (target chaos.Target, witness string, err error)

// opened is a target that is up.
type opened struct {
	chaos.Target
	witness string
	closing func() error // for the run; nil for a target that stays open
	end     func() error // always called
}

// close sees to it that nothing of the target is left, whatever became of the run.
func (t *opened) close() {
	if t.end != nil {
		_ = t.end()
	}
}

// marker is what the target's descendants carry in their environment; one that nobody carries when it marks none.
func (t *opened) marker() string {
	if m, ok := t.Target.(chaos.Marked); ok {
		return m.Marker()
	}
	return "run-" + rand.Text()
}

// open starts the scenario's target, or the caller's.
func (s *Scenario) open(ctx context.Context, dir string, o RunOptions) (*opened, error) {
	if o.Target != nil {
		t, witness, err := o.Target(ctx, dir, s.size())
		return &opened{Target: t, witness: witness}, err
	}
	switch t := s.Target; {
	case t.Pool != nil && t.Pool.Supervised:
		d, err := targets.StartDriver(ctx, targets.OwnDriver(max(int(t.Pool.Size), 1), ""), dir)
		if err != nil {
			return nil, err
		}
		return &opened{d, d.Witness(), d.Close, d.Close}, nil
	case t.Pool != nil:
		p, err := targets.Start(ctx, t.Pool.config(), dir)
		if err != nil {
			return nil, err
		}
		if len(t.Pool.Bugs) > 0 {
			b, err := targets.Break(p, t.Pool.Bugs)
			if err != nil {
				return nil, errors.Join(err, p.Terminate())
			}
			return &opened{b, b.Witness(), b.Close, b.End}, nil
		}
		return &opened{p, p.Witness(), p.Close, p.Terminate}, nil
	case t.Driver != nil:
		c := driver.Command{Argv: t.Driver.Command, Dir: s.dir(), Size: max(int(t.Driver.Size), 1)}
		d, err := targets.StartDriver(ctx, c, dir)
		if err != nil {
			return nil, err
		}
		return &opened{d, d.Witness(), d.Close, d.Close}, nil
	case t.Server != nil:
		w, err := targets.StartServer(ctx, server.Config{Kind: t.Server.Kind, Size: max(int(t.Server.Size), 1), Dir: dir, Net: web.Loopback{}})
		if err != nil {
			return nil, err
		}
		return &opened{w, w.Witness(), w.Close, w.Close}, nil
	}
	return nil, errors.New("the scenario names no target")
}

// isStream tells of a path that names what a process has open, such as /dev/stdin or a shell's <(…), and no place.
func isStream(path string) bool {
	abs, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(abs, "/dev/") || strings.HasPrefix(abs, "/proc/"))
}

// dir is the directory that a driver's command is relative to: the file's, or this process's for one that has none.
func (s *Scenario) dir() string {
	if _, err := os.Stat(s.file); err != nil || isStream(s.file) {
		return ""
	}
	return filepath.Dir(s.file)
}

// size is how many members the scenario wants, 0 if it does not say.
func (s *Scenario) size() int {
	switch t := s.Target; {
	case t.Pool != nil:
		return int(t.Pool.Size)
	case t.Driver != nil:
		return int(t.Driver.Size)
	case t.Server != nil:
		return int(t.Server.Size)
	}
	return 0
}

func (s *Scenario) settle() time.Duration {
	if s.Settle == 0 {
		return defaultSettle
	}
	return s.Settle.Std()
}

func (s *Scenario) timeout() time.Duration {
	if s.Timeout == 0 {
		return defaultTimeout
	}
	return s.Timeout.Std()
}

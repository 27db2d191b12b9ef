package scenarios

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// TargetMaker makes the target of a run of the caller's own. dir is a scratch directory that lives as long as the run;
// size is what the scenario wants, 0 if it does not say. witness is the file in which tasks record their executions, ""
// without.
type TargetMaker func(ctx context.Context, dir string, size int) (target chaos.Target, witness string, err error)

// marker is what the target's descendants carry in their environment; one that nobody carries when it marks none.
func marker(t chaos.Target) string {
	if m, ok := t.(chaos.Marked); ok {
		return m.Marker()
	}
	return "run-" + rand.Text()
}

// open starts the scenario's target, or the caller's, which stays open.
func (s *Scenario) open(ctx context.Context, dir string, o RunOptions) (*kind.Opened, error) {
	if o.Target == nil {
		return s.Target.Settings.Open(ctx, kind.Place{Dir: dir, File: s.dir(), Load: s.Load.call(), Consent: o.Consent})
	}
	t, witness, err := o.Target(ctx, dir, s.Target.members())
	return &kind.Opened{Target: t, Witness: witness, End: func() error { return nil }}, err
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

// Attached is what the scenario would strike of processes that somebody else started; ok is false for a target of the
// harness's own. Nothing is done to them. Errors: [Problems].
func (s *Scenario) Attached() (seen kind.Seen, ok bool, err error) {
	l, ok := s.Target.Settings.(kind.Looker)
	if !ok {
		return seen, false, nil
	}
	if seen, err = l.Look(); err != nil {
		err = Problems{s.problemAt("target."+s.Target.Kind, err)}
	}
	return seen, true, err
}

// Remote tells whether the scenario's load goes to another machine.
func (s *Scenario) Remote() bool { return s.Load.call().Away() }

// Faults are the faults that the scenario injects, in their one-line forms.
func (s *Scenario) Faults() (list []string) {
	for _, n := range s.engine() {
		list = append(list, n.Fault.String())
	}
	return list
}

// LeastAlive is how many members no fault may go below.
func (s *Scenario) LeastAlive() int { return s.minAlive() }

// minAlive is how many members no fault may go below: as the file says, or what is right for the target.
func (s *Scenario) minAlive() int {
	if t, ok := s.Target.Settings.(kind.Careful); ok && s.at["min_alive"] == nil {
		return t.MinAlive()
	}
	return int(s.MinAlive)
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

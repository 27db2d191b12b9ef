package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/forks"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/members"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
	"github.com/respawn-go/respawn/scenarios/targets/processes"
)

// Target is a program that was started, with the members that it starts. Start makes it. Safe for concurrent use.
type Target struct {
	*processes.Target
	program  *foreign.Program
	settings *Settings
	close    sync.Once
	closed   error

	mu        sync.Mutex
	adoptions members.Adoptions
}

var (
	_ chaos.Target     = (*Target)(nil)
	_ chaos.Runner     = (*Target)(nil)
	_ chaos.Marked     = (*Target)(nil)
	_ chaos.Supervised = (*Target)(nil)
	_ chaos.Succeeded  = (*Target)(nil)
	_ chaos.Restarter  = (*Target)(nil)
	_ chaos.Mortal     = (*Target)(nil)
)

// bootTimeout bounds how long a program may take until it is up.
const bootTimeout = 30 * time.Second

// Start starts the program and waits until it has its members and answers; ctx bounds that. On any error nothing is
// left of it. Errors: [*foreign.NotInstalledError]; [*foreign.CommandError]; the program's own last words.
func Start(ctx context.Context, s *Settings, at kind.Place) (*Target, error) {
	f := outside.FollowForks()
	t, err := start(ctx, s, at, f)
	if err != nil && f != nil {
		err = errors.Join(err, f.Close())
	}
	return t, err
}

func start(ctx context.Context, s *Settings, at kind.Place, f *forks.Follower) (*Target, error) {
	c := foreign.Command{Argv: s.Argv, Dir: at.File, User: s.User, Install: s.Install}
	if s.Dir != "" {
		if c.Dir = s.Dir; !filepath.IsAbs(s.Dir) {
			c.Dir = filepath.Join(at.File, s.Dir)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Env)) {
		c.Env = append(c.Env, key+"="+s.Env[key])
	}
	for _, name := range s.Needs {
		if _, err := (foreign.Tool{Name: name, Install: s.Install}).Find(); err != nil {
			return nil, err
		}
	}
	p, err := foreign.Start(c)
	if err != nil {
		return nil, err
	}
	t := &Target{program: p, settings: s}
	load, _ := at.Load.(calls.Spec)
	ready := s.Ready
	if ready.Call() == nil {
		ready = load
	}
	boot, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	first, err := processes.Up(boot, s.Size, t.Workers, ready.Call(), t.over)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w%s", t.name(), err, t.lastWords()), p.End())
	}
	what := history.Target{Kind: "command", Name: t.name(), Version: t.version(ctx), Size: s.Size.Least()}
	if s.Size.Open() {
		what.Most = s.Size.Most()
	}
	t.Target = processes.Watch(what, lister{t}, first, f, load, s.Ready)
	return t, nil
}

// versionTimeout bounds how long a program may take to print its version. A variable for the tests.
var versionTimeout = 10 * time.Second

// dotted is what looks like a version.
var dotted = regexp.MustCompile(`[0-9]+(\.[0-9]+)+[-.:~+0-9a-z]*`)

// version is what the command prints of the version; "" for no command, and for one that does not say. What it leaves
// running is ended with the program: it carries the same sign.
func (t *Target) version(ctx context.Context) string {
	if len(t.settings.Version) == 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	said, _ := t.program.Run(ctx, t.settings.Version)
	return dotted.FindString(said)
}

// name is the program's: the first that a script needs is what it starts.
func (t *Target) name() string {
	return filepath.Base(append(slices.Clone(t.settings.Needs), t.settings.Argv[0])[0])
}

// over tells why the program will never be up; nil while it may.
func (t *Target) over() error {
	select {
	case <-t.program.Exited():
		return fmt.Errorf("it %s while it started", t.program.Exit())
	default:
		return nil
	}
}

// lastWords is the end of what the program said, in one line.
func (t *Target) lastWords() string { return lastWords(t.program) }

func lastWords(p *foreign.Program) string {
	const shown = 300
	words := strings.Join(strings.Fields(p.Stderr()), " ")
	if words == "" {
		return ""
	}
	return ": " + words[max(0, len(words)-shown):]
}

// lister is how the members are found.
type lister struct{ *Target }

func (l lister) PID() int { return l.program.PID() }

func (l lister) Owns(pid int) bool { return l.program.Owns(pid) }

// Workers lists the members, those of a program that has ended, too, as far as they can be told: nobody knows whose
// children they were.
func (t *Target) Workers(context.Context) ([]int, error) {
	table, err := procfs.Snapshot()
	if err != nil {
		return nil, err
	}
	pids := t.settings.Rule.Below(table, t.program.PID(), t.program.Owns)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.adoptions.Without(&t.settings.Rule, table, pids), nil
}

// Marker implements chaos.Marked.
func (t *Target) Marker() string { return t.program.Marker() }

// Supervisor implements chaos.Supervised: the program's own process.
func (t *Target) Supervisor() int { return t.program.PID() }

// Gone implements chaos.Mortal.
func (t *Target) Gone() <-chan struct{} { return t.program.Exited() }

// Epitaph implements chaos.Mortal.
func (t *Target) Epitaph() string {
	return fmt.Sprintf("%s is gone: it %s%s", t.name(), t.program.Exit(), t.lastWords())
}

// Close asks the program to end, waits for that, and ends what has not, with everything that it started. Closing twice
// is fine. The error is a [*chaos.LeftError] if some of its processes did not end by themselves.
func (t *Target) Close() error {
	t.close.Do(func() { t.closed = t.end() })
	return t.closed
}

// leftTimeout is the longest that what is left may take to go once the program has ended.
const leftTimeout = 5 * time.Second

func (t *Target) end() error {
	t.Stop()
	stop, left := t.settings.Stop, 0
	forTheRest := min(leftTimeout, stop.within())
	var why error
	_ = t.program.Signal(stop.signal())
	select {
	case <-t.program.Exited():
		if pids := slices.Sorted(maps.Keys(t.program.Left(context.Background(), forTheRest))); len(pids) > 0 {
			left, why = len(pids),
				fmt.Errorf("%s (process %d) ended and left processes %v running", t.name(), t.program.PID(), pids)
		}
	case <-time.After(stop.within()):
		family, _ := t.program.Family()
		left, why = 1+len(family),
			fmt.Errorf("%s (process %d) lives on %v after %s", t.name(), t.program.PID(), stop.within(), stop.name())
	}
	err := t.program.End()
	if left > 0 {
		err = errors.Join(&chaos.LeftError{Processes: left}, why, err)
	}
	return err
}

func (s Stop) name() string {
	if s.Signal == "" {
		return "SIGTERM"
	}
	return "SIG" + strings.TrimPrefix(strings.ToUpper(s.Signal), "SIG")
}

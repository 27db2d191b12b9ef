package attach

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
	"github.com/respawn-go/respawn/scenarios/targets/members"
	"github.com/respawn-go/respawn/scenarios/targets/processes"
)

// Target is processes of others. Open makes it. Safe for concurrent use.
type Target struct {
	*processes.Target
	settings *Settings
	size     units.Range
	consent  string
	uid      int             // whose victims are
	programs map[string]bool // the files that members run, as they were at first
	main     procfs.Identity // as it was at first; of a way that names a process

	mu   sync.Mutex
	next time.Time // when the host may be looked at again
	last []int     // the members at the last look
	was  int       // the main process at the last look

	adoptions members.Adoptions
}

var (
	_ chaos.Target  = (*Target)(nil)
	_ chaos.Runner  = (*Target)(nil)
	_ chaos.Guarded = (*Target)(nil)
)

// ErrNoConsent is returned by Open where nobody has consented.
var ErrNoConsent = errors.New(
	"the scenario strikes processes that run already, which nobody has allowed: run it with --attach")

// grown is how old a process must be to be struck: a younger one may be a helper, or still on its way to be what it is
// to be.
const grown = time.Second

// Open finds the processes, has them consented to, and begins to watch them. Nothing is done to them. Errors: what was
// found in place of them, in one sentence; [ErrNoConsent]; [kind.UnfitError] for what must not be struck.
func Open(ctx context.Context, s *Settings, at kind.Place) (*Target, error) {
	t := &Target{settings: s, programs: map[string]bool{}}
	seen, first, err := t.look()
	if err != nil {
		return nil, err
	}
	if at.Consent == nil {
		return nil, ErrNoConsent
	}
	if t.consent, err = at.Consent(seen); err != nil {
		return nil, err
	}
	if t.size = s.Size; t.size.Least() == 0 {
		t.size = units.Exactly(len(first))
	}
	load, _ := at.Load.(calls.Spec)
	ready := s.Ready
	if ready.Call() == nil {
		ready = load
	}
	boot, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	if first, err = processes.Up(boot, t.size, t.list, ready.Call(), func() error { return nil }); err != nil {
		return nil, fmt.Errorf("%s: %w", seen.What, err)
	}
	what := history.Target{Kind: "attach", Name: seen.What, Size: t.size.Least(), Can: []string{}}
	if t.size.Open() {
		what.Most = t.size.Most()
	}
	t.Target = processes.Watch(what, lister{t}, first, nil, load, s.Ready)
	return t, nil
}

// bootTimeout bounds how long the target may take to have its members, and to answer.
const bootTimeout = 10 * time.Second

// look finds the members for the first time, and refuses those that must not be struck.
func (t *Target) look() (seen kind.Seen, pids []int, err error) {
	defer func() {
		if err != nil {
			err = &kind.UnfitError{Target: "what the scenario attaches to", Err: err}
		}
	}()
	t.uid = os.Geteuid()
	if uid, err := t.settings.uid(); err != nil || uid >= 0 {
		if err != nil {
			return seen, nil, err
		}
		t.uid = uid
	}
	table, err := procfs.Snapshot()
	if err != nil {
		return seen, nil, err
	}
	f, err := t.settings.find(table, 0)
	if err != nil {
		return seen, nil, err
	}
	if err := allowed(f, table); err != nil {
		return seen, nil, err
	}
	pids, seen.What = t.settings.members(table, f)
	pids = t.withoutAdopted(table, f, pids)
	if len(pids) == 0 {
		return seen, nil, fmt.Errorf("%s: there are none%s", seen.What, below(table, f.main))
	}
	if f.main != 0 {
		t.main, _ = procfs.Identify(f.main)
	}
	for _, pid := range pids {
		id, err := procfs.Identify(pid)
		if err != nil {
			continue // it has just ended
		}
		if err := t.mayStrike(id); err != nil {
			return seen, nil, err
		}
		t.programs[id.File] = true
		seen.Members = append(seen.Members, id)
	}
	return seen, pids, nil
}

// below tells what there is below a main process, for those whose rule has found nothing.
func below(table procfs.Table, main int) string {
	pids := table.Descendants(main)
	if main == 0 || len(pids) == 0 {
		return ""
	}
	slices.Sort(pids)
	return "; below it are " + list(pids)
}

// allowed refuses a target that holds this process, or that everything descends from.
func allowed(f found, table procfs.Table) error {
	if f.in != nil { // its main process may be any other's child, as may be its supervisor
		for _, pid := range append(procfs.Ancestors(os.Getpid()), os.Getpid()) {
			if pid > 1 && f.in(pid) {
				return fmt.Errorf("%s holds this run itself, by process %d (%s)", f.what, pid, procfs.Name(pid))
			}
		}
		return nil
	}
	if err := chaos.Protected(f.main); err != nil {
		return err
	}
	if table.Has(os.Getpid(), func(pid int) bool { return pid == f.main }) {
		return fmt.Errorf("%s is an ancestor of this run", f.what)
	}
	return nil
}

// mayStrike tells why a process must never be struck.
func (t *Target) mayStrike(id procfs.Identity) error {
	if err := chaos.Protected(id.PID); err != nil {
		return err
	}
	if self, err := procfs.Identify(os.Getpid()); err == nil && id.SameProgram(self) &&
		slices.Contains(procfs.Ancestors(id.PID), os.Getpid()) {
		return fmt.Errorf("process %d (%s) is one of this run's own, such as its guardian", id.PID, procfs.Name(id.PID))
	}
	if procfs.IsInit(id.PID) && (t.settings.PID == 0 || int(t.settings.PID) != id.PID) {
		return fmt.Errorf("process %d (%s) is the first of its pid namespace, and all others there would end with it",
			id.PID, procfs.Name(id.PID))
	}
	if id.UID != t.uid {
		return fmt.Errorf("process %d (%s) belongs to %s: say so, with owner: %[3]s, if it is meant",
			id.PID, procfs.Name(id.PID), userName(id.UID))
	}
	return nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// Strikable implements chaos.Guarded: who is struck runs a program that members ran when the run began, belongs to whom
// the scenario says, has lived for a second, and was not stopped by somebody else.
func (t *Target) Strikable(m chaos.Member) error {
	id, err := procfs.Identify(m.PID)
	if err != nil {
		return &chaos.MissedError{Reason: "it is gone"}
	}
	if err := t.mayStrike(id); err != nil {
		return &chaos.RefusedError{Reason: err.Error()}
	}
	if !t.programs[id.File] {
		return &chaos.MissedError{Reason: fmt.Sprintf("process %d runs %s, which no member ran when the run began",
			id.PID, id.Exe)}
	}
	p, err := procfs.Read(m.PID)
	switch {
	case err != nil:
		return &chaos.MissedError{Reason: "it is gone"}
	case p.State == 'T' || p.State == 't':
		return &chaos.MissedError{Reason: fmt.Sprintf("somebody else has stopped process %d", id.PID)}
	case age(id) < grown:
		return &chaos.MissedError{Reason: fmt.Sprintf("process %d is younger than %v", id.PID, grown)}
	}
	return nil
}

// lister is how the members are found again and again.
type lister struct{ *Target }

// PID implements outside.Lister: nobody was started.
func (l lister) PID() int { return 0 }

// Workers implements outside.Lister. It takes at most a twentieth of a CPU while all members are there.
func (l lister) Workers(ctx context.Context) ([]int, error) {
	l.mu.Lock()
	next, last := l.next, l.last
	l.mu.Unlock()
	for len(last) >= l.size.Least() && time.Now().Before(next) && allAlive(last) {
		if err := wait.For(ctx, min(time.Until(next), 5*time.Millisecond)); err != nil {
			return nil, err
		}
	}
	runtime.LockOSThread() // whose time is measured: on a busy host a look lasts longer than it costs
	defer runtime.UnlockOSThread()
	began := threadTime()
	pids, err := l.list(ctx)
	l.mu.Lock()
	l.next, l.last = time.Now().Add(19*(threadTime()-began)), pids
	l.mu.Unlock()
	return pids, err
}

func allAlive(pids []int) bool {
	return !slices.ContainsFunc(pids,
		func(pid int) bool { p, err := procfs.Read(pid); return err != nil || !p.Alive() })
}

// Owns implements outside.Lister: whether a process is of the rule, now that it is held.
func (l lister) Owns(pid int) bool {
	pids, err := l.list(context.Background())
	return err == nil && slices.Contains(pids, pid)
}

// list is the members now: those of the rule that run a program which members ran at first. A target that is gone has
// none.
func (t *Target) list(context.Context) ([]int, error) {
	table, err := procfs.Snapshot()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	was := t.was
	t.mu.Unlock()
	f, err := t.settings.find(table, was)
	if err != nil {
		return nil, nil // nobody is there, and the record tells from when on
	}
	t.mu.Lock()
	t.was = f.main
	t.mu.Unlock()
	if t.settings.PID > 0 {
		if now, err := procfs.Identify(f.main); err != nil || now.Started != t.main.Started {
			return nil, nil // the number has passed on
		}
	}
	pids, _ := t.settings.members(table, f)
	pids = t.withoutAdopted(table, f, pids)
	return slices.DeleteFunc(pids, func(pid int) bool {
		id, err := procfs.Identify(pid)
		return err != nil || !t.programs[id.File]
	}), nil
}

// withoutAdopted is the members without what members have started and their parent has adopted.
func (t *Target) withoutAdopted(table procfs.Table, f found, pids []int) []int {
	rule := t.settings.Rule
	if rule == nil {
		rule = &members.Rule{}
	}
	if f.main == 0 {
		return pids
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.adoptions.Without(rule, table, pids)
}

// Describe tells members for people who are to consent: a line each.
func Describe(seen kind.Seen) (lines []string) {
	for _, id := range seen.Members {
		args := strings.Join(procfs.Args(id.PID), " ")
		if args == "" {
			args = "[" + procfs.Name(id.PID) + "]"
		}
		const most = 100
		if r := []rune(args); len(r) > most {
			args = string(r[:most]) + "…"
		}
		lines = append(lines,
			fmt.Sprintf("%7d  %-12s  up %-10s  %s", id.PID, userName(id.UID), age(id).Round(time.Second), args))
	}
	return lines
}

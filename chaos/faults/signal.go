package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/internal/procfs"
)

// Signal sends the victim a signal. What counts as evidence depends on the signal:
//
//	KILL                   the wait status shows it, or where that is not known, the victim is gone
//	SEGV, ABRT, BUS, …     the same; or another failure whose stderr names the signal, as Go programs end of them
//	TERM, INT, HUP, QUIT   the victim ended within Grace: it drained and exited 0, died of it, or was escalated by its
//	                       pool; which of them is recorded
//	any other              the victim ended, or catches the signal by its own choice and has taken it
type Signal struct {
	Name  string        `yaml:"name,scalar" doc:"The signal without SIG: KILL, TERM, SEGV, ABRT, …"`
	Grace time.Duration `yaml:"-" doc:"How long the victim may take to end of it. Default 10s."`
}

const signalGrace = 10 * time.Second

// survives is how long a victim is watched for its end after a signal that need not be fatal.
const survives = 200 * time.Millisecond

// crashSignals are those that a program dies of unless it goes out of its way.
var crashSignals = []string{"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"}

// commonSignals are what a mistake about an unknown one is told of: none that is idle.
var commonSignals = []string{"KILL", "TERM", "INT", "HUP", "QUIT", "ABRT", "SEGV", "BUS", "FPE", "ILL", "USR1", "USR2"}

// idleSignals do nothing to a program that does not ask for them.
var idleSignals = []string{"SIGURG", "SIGCHLD", "SIGCLD", "SIGWINCH", "SIGCONT"}

// stopSignals ask a program to end.
var stopSignals = []string{"SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"}

func (s Signal) full() string { return "SIG" + strings.TrimPrefix(strings.ToUpper(s.Name), "SIG") }

// number is 0 for a name that is no signal here.
func (s Signal) number() syscall.Signal { return unix.SignalNum(s.full()) }

func (s Signal) String() string {
	return "signal " + strings.TrimPrefix(s.full(), "SIG") + but("grace", s.Grace)
}

// Validate knows the names of this platform's signals.
func (s Signal) Validate() error {
	switch s.full() {
	case "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU":
		return fmt.Errorf("signal %s would stop the victim for good: use the fault pause", s.Name)
	}
	if s.number() == 0 {
		return fmt.Errorf("unknown signal %q: %s", s.Name, nearest.Meant(s.Name, commonSignals))
	}
	if s.Grace < 0 {
		return fmt.Errorf("signal %s: the grace is %v, want a positive duration, or 0 for 10s", s.Name, s.Grace)
	}
	return nil
}

// Traits implements chaos.Fault.
func (s Signal) Traits() chaos.Traits {
	return chaos.Traits{Idle: slices.Contains(idleSignals, s.full())}
}

// Begin makes an injection.
func (s Signal) Begin() chaos.Injection { return &signalling{Signal: s} }

// signalling is a signal on its way.
type signalling struct {
	chaos.Steps
	Signal
	before procfs.Proc
}

func (s *signalling) Inject(_ context.Context, c *chaos.Case) error {
	var err error
	if s.before, err = procfs.Read(c.Victim.PID); err != nil || !s.before.Alive() || c.Victim.Gone() {
		return chaos.ErrGone
	}
	return c.Victim.Send(s.number())
}

func (s *signalling) Confirm(ctx context.Context, c *chaos.Case) (history.Receipt, error) {
	grace := s.Grace
	if grace == 0 {
		grace = signalGrace
	}
	if !s.ends() {
		grace = min(grace, survives)
	}
	ended, err := c.Hold(ctx, grace)
	if err != nil {
		return history.Receipt{}, err
	}
	if !ended {
		return s.survived(c)
	}
	e, err := c.Ending(ctx)
	r := e.Receipt()
	r.Evidence["sent"] = s.full()
	r.Evidence["state before"] = string(s.before.State)
	if err == nil {
		r.Evidence["how"], err = s.judge(e)
	}
	return r, err
}

// ends tells whether the signal is one that the victim must end of.
func (s *signalling) ends() bool {
	return s.full() == "SIGKILL" || slices.Contains(crashSignals, s.full()) || slices.Contains(stopSignals, s.full())
}

// judge says whether the victim's end is this signal's doing, and in which way.
func (s *signalling) judge(e chaos.Ending) (how string, err error) {
	name := s.full()
	otherwise := fmt.Errorf("sent %s, but the victim ended with %s", name, e)
	switch {
	case !e.Known():
		return "ended after it", nil
	case e.Signal == name:
		return "died of it", nil
	case name == "SIGKILL" && e.Code == 0:
		return "it exited by itself just before", chaos.ErrGone
	case name == "SIGKILL":
		return "ended otherwise", otherwise
	case slices.Contains(crashSignals, name):
		// The Go runtime catches these, prints the name and exits with 2.
		if e.Signal == "" && e.Code != 0 && (e.Target == nil || strings.Contains(e.Stderr(), name)) {
			return "died of it: its runtime says so", nil
		}
		return "ended otherwise", otherwise
	case e.Signal == "SIGKILL":
		return "escalated: it had to be killed", nil
	case e.Signal != "":
		return "ended otherwise", otherwise
	case e.Code == 0:
		return "drained and exited 0", nil
	}
	return fmt.Sprintf("exited %d", e.Code), nil
}

// survived is the evidence that a victim that is still there has taken the signal.
func (s *signalling) survived(c *chaos.Case) (history.Receipt, error) {
	r := history.Receipt{
		Tier: "/proc status", At: c.Now(),
		Evidence: map[string]string{"sent": s.full(), "state before": string(s.before.State)},
	}
	d, err := procfs.ReadDispositions(c.Victim.PID)
	n := int(s.number())
	switch {
	case err != nil || c.Victim.Gone():
		return r, errors.Join(chaos.ErrGone, err)
	case s.ends():
		err = fmt.Errorf("%s was sent and the victim is still there", s.full())
	case d.Ignored.Has(n):
		err = fmt.Errorf("the victim ignores %s", s.full())
	case d.Pending.Has(n):
		err = fmt.Errorf("%s is pending still: the victim has not taken it", s.full())
	case d.Caught.Has(n) && catchesAll(d.Caught):
		err = fmt.Errorf("the victim's runtime catches every signal: that it took %s shows nothing", s.full())
	case d.Caught.Has(n):
		r.Evidence["how"] = "caught and survived"
	default:
		err = fmt.Errorf("%s did nothing: the victim is still there, and does not catch it", s.full())
	}
	return r, err
}

// catchesAll tells of a process whose language catches signals for itself, as Go's runtime does: also those that nobody
// asks for.
func catchesAll(caught procfs.Signals) bool {
	return !slices.ContainsFunc([]string{"SIGURG", "SIGWINCH", "SIGPWR", "SIGIO"}, func(name string) bool {
		return !caught.Has(int(unix.SignalNum(name)))
	})
}

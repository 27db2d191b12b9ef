package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/scenarios"
)

var (
	// stoppers are the signals by which terminals, shells and wrappers ask a program to end.
	stoppers = []os.Signal{
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGALRM, syscall.SIGXCPU,
	}
	// pressed are those that somebody sends from a keyboard.
	pressed = []os.Signal{os.Interrupt, syscall.SIGQUIT}
	// survived are those of a write that failed, which returns an error all the same.
	survived = []os.Signal{syscall.SIGPIPE, syscall.SIGXFSZ}
)

// patience is how long after the first signal a Ctrl-C is one of somebody who does not want to wait. Wrappers and
// terminals send several at once, and none of those may cost the report.
const patience = 2 * time.Second

// stopping ends what is running when a signal asks for it: in order at the first one, however many follow and of
// whatever kind; at once when Ctrl-C is pressed again after a while.
type stopping struct {
	cancel  context.CancelCauseFunc
	stderr  io.Writer
	exit    func(code int)
	history atomic.Pointer[string] // of the run that is going on
	panel   atomic.Pointer[panel]  // that shows it, nil without one
}

// stopped is why the context of a command ended.
type stopped struct{ by os.Signal }

func (s stopped) Error() string {
	if s.by == os.Interrupt {
		return "stopped by Ctrl-C"
	}
	if n, ok := s.by.(syscall.Signal); ok {
		return "stopped by " + unix.SignalName(n)
	}
	return "stopped by " + s.by.String()
}

// watch takes the signals, one after the other, until there are none any more.
func (s *stopping) watch(signals <-chan os.Signal) {
	var first time.Time
	for by := range signals {
		switch history := s.history.Load(); {
		case first.IsZero() && history != nil:
			first = time.Now()
			s.say("stopping: what was injected is healed, and the report is written; Ctrl-C in %v ends it at once",
				patience)
			s.cancel(stopped{by})
		case first.IsZero():
			first = time.Now()
			s.say("stopping; Ctrl-C in %v ends it at once", patience)
			s.cancel(stopped{by})
		case !slices.Contains(pressed, by) || time.Since(first) < patience:
		case history != nil:
			s.say("ended at once; for a report of what there is: respawn report %s", scenarios.QuotedPath(*history))
			s.leave()
		default:
			s.say("ended at once")
			s.leave()
		}
	}
}

// say writes a line of its own, above a panel that may be there.
func (s *stopping) say(format string, args ...any) {
	line := fmt.Sprintf("respawn: "+format+"\n", args...)
	if p := s.panel.Load(); p == nil || !p.say(line) {
		fmt.Fprint(s.stderr, line)
	}
}

// leave ends this process at once.
func (s *stopping) leave() {
	if p := s.panel.Load(); p != nil {
		p.end()
	}
	s.exit(exitInterrupted)
}

// stoppingKey is where a command's context has its stopping.
type stoppingKey struct{}

// records tells whoever ends this process early that the history of what is running is at that path, until done is
// called. What is said meanwhile goes above the display if that is a panel.
func records(ctx context.Context, path string, show display) (done func()) {
	s, ok := ctx.Value(stoppingKey{}).(*stopping)
	if !ok {
		return func() {}
	}
	s.history.Store(&path)
	if p, ok := show.(*panel); ok {
		s.panel.Store(p)
	}
	return func() {
		s.history.Store(nil)
		s.panel.Store(nil)
	}
}

// stoppable is a context that ends at the first signal. Writing to a pipe that nobody reads any more is an error from
// now on and not this process's end.
func stoppable(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &stopping{cancel: cancel, stderr: os.Stderr, exit: os.Exit}
	signals := make(chan os.Signal, 16)
	for _, sig := range stoppers {
		if !signal.Ignored(sig) { // nohup
			signal.Notify(signals, sig)
		}
	}
	signal.Notify(make(chan os.Signal, 1), survived...)
	go s.watch(signals)
	return context.WithValue(ctx, stoppingKey{}, s)
}

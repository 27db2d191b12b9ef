// Package check says whether a worker keeps docs/wire.md, and where it does not. It is the pool's side of the protocol,
// written from that page alone, with an eye on each rule.
package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/respawn-go/respawn/scenarios/scratch"
	"github.com/respawn-go/respawn/workers"
)

// Command is the worker to check: what pool.Config has as Command, Dir and Env.
type Command struct {
	Argv     []string
	Dir      string
	Env      []string
	Timeouts Timeouts

	only []string // the steps, beside the first; nil: all
}

// Timeouts bound how long the check waits. Zero values have defaults.
type Timeouts struct {
	Boot time.Duration // until it is ready; default 30 s
	Task time.Duration // until a task that takes no time is answered; default 10 s
	End  time.Duration // until it has ended when it should; default 5 s
}

// exam is a check in progress.
type exam struct {
	violations
	command Command
	limits  Timeouts
	dir     string // for what the worker writes
	proof   string // an entry of the environment
	id      uint64 // of the last task
	hosts   []*host
	now     *host    // the one that steps share, nil before the first and after one that spoiled it
	notes   []string // of the step
}

// step is one step of the check. It notes violations itself; an error other than errSpoiled ends the check.
type step struct {
	name string
	run  func(*exam, context.Context) error
}

// The first decides whether the others can be.
var steps = []step{
	{"ready", (*exam).tryReady},
	{"tasks", (*exam).tryTasks},
	{"bytes", (*exam).tryBytes},
	{"shared memory", (*exam).tryShared},
	{"errors", (*exam).tryErrors},
	{"misfits", (*exam).tryMisfits},
	{"unknown task", (*exam).tryUnknown},
	{"tickets", (*exam).tryTickets},
	{"taken back", (*exam).tryTakenBack},
	{"answers in time", (*exam).tryInTime},
	{"orders", (*exam).tryOrders},
	{"cancel", (*exam).tryCancel},
	{"witness", (*exam).tryWitness},
	{"printing", (*exam).tryPrinting},
	{"what it starts", (*exam).tryChild},
	{"fork", (*exam).tryFork},
	{"stop", (*exam).tryStop},
	{"SIGTERM", (*exam).tryTerm},
	{"SIGTERM idle", (*exam).tryTermIdle},
	{"end of tasks", func(e *exam, ctx context.Context) error { return e.tryEndOf(ctx, "task") }},
	{"end of control", func(e *exam, ctx context.Context) error { return e.tryEndOf(ctx, "control") }},
	{"other protocol", (*exam).tryOtherProtocol},
	{"no pool", (*exam).tryNoPool},
}

// Check starts the worker some times, tries everything that docs/wire.md asks of it, and lists what it does wrong.
// Nothing of it is left afterwards. This program must call pool.Main first thing. The error says that the check could
// not be made at all: [*foreign.NotInstalledError], [*foreign.CommandError], or ctx's.
func Check(ctx context.Context, c Command) (r Report, err error) {
	r.Argv = c.Argv
	dir, remove, err := scratch.Dir("respawn-check-")
	if err != nil {
		return r, err
	}
	defer remove()
	e := &exam{command: c, dir: dir, limits: c.Timeouts.orDefault()}
	if e.proof, err = workers.WriteProof(dir); err != nil {
		return r, err
	}
	skip := ""
	for i, s := range steps {
		if i > 0 && c.only != nil && !slices.Contains(c.only, s.name) {
			continue
		}
		if skip != "" {
			r.Steps = append(r.Steps, Step{Name: s.name, Skipped: skip})
			continue
		}
		step, err := e.runStep(ctx, &r, s)
		if err != nil {
			return r, errors.Join(err, e.endAll(&r))
		}
		r.Steps = append(r.Steps, step)
		if i == 0 && len(step.Found) > 0 {
			skip = "it is not ready to be examined"
		}
	}
	return r, errors.Join(ctx.Err(), e.endAll(&r))
}

func (t Timeouts) orDefault() Timeouts {
	for _, d := range []struct {
		limit *time.Duration
		def   time.Duration
	}{{&t.Boot, 30 * time.Second}, {&t.Task, 10 * time.Second}, {&t.End, 5 * time.Second}} {
		if *d.limit == 0 {
			*d.limit = d.def
		}
	}
	return t
}

// runStep runs one step. A worker that did something wrong in it is not used for the next.
func (e *exam) runStep(ctx context.Context, r *Report, s step) (Step, error) {
	e.notes = nil
	began := time.Now()
	err := s.run(e, ctx)
	if ctx.Err() != nil {
		return Step{}, ctx.Err()
	}
	if err != nil && !errors.Is(err, errSpoiled) {
		return Step{}, err
	}
	found := e.take()
	if len(found) > 0 || err != nil {
		if err := e.endAll(r); err != nil {
			return Step{}, err
		}
		found = append(found, e.take()...)
	}
	if err != nil && len(found) == 0 {
		return Step{}, fmt.Errorf("step %q: %w", s.name, err)
	}
	return Step{Name: s.name, Found: found, Notes: e.notes, Took: time.Since(began)}, nil
}

// endAll ends every start of the worker, and keeps what the last one printed.
func (e *exam) endAll(r *Report) error {
	var errs []error
	for _, h := range e.hosts {
		errs = append(errs, h.end())
		r.Stderr = h.stderr()
	}
	e.hosts, e.now = nil, nil
	return errors.Join(errs...)
}

// note adds to the step what is no breach but worth knowing.
func (e *exam) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// worker is one that is ready and idle.
func (e *exam) worker(ctx context.Context) (*host, error) {
	if e.now == nil {
		h, err := e.boot(ctx)
		if err != nil {
			return nil, err
		}
		e.now = h
	}
	return e.now, nil
}

// done ends the one start of the worker that a step had to itself.
func (e *exam) done(h *host) error {
	if e.now == h {
		e.now = nil
	}
	err := h.end()
	if err != nil {
		return err
	}
	for i, other := range e.hosts {
		if other == h {
			e.hosts = append(e.hosts[:i], e.hosts[i+1:]...)
			break
		}
	}
	return nil
}

// lacks notes that the worker has no task of that name, which is then not tried.
func (h *host) lacks(name string) bool {
	if _, ok := h.index[name]; ok {
		return false
	}
	h.note("not tried: it has no task %q", name)
	return true
}

// environment is what a start of a worker has beside this process's.
func environment() string { return fmt.Sprintf("RESPAWN_PROTOCOL=%d", protocol) }

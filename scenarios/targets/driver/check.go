package driver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/scenarios/scratch"
)

const checkSize = 2

// exam is a check in progress.
type exam struct {
	*Driver
	command Command
	workers []int        // as it listed them last
	known   map[int]bool // that it ever listed
	id      uint64
	good    map[uint64]bool // tasks that were answered with a value
	strange map[int]bool    // processes that answered and are no workers
	notes   []string        // of the step
}

// step is one step of the check. It may note violations itself; what it returns ends the check.
type step struct {
	name string
	run  func(*exam, context.Context) error
}

var steps = []step{
	{"hello", (*exam).tryHello},
	{"start", (*exam).tryStart},
	{"square", (*exam).trySquare},
	{"failing tasks", (*exam).tryFailing},
	{"many at once", (*exam).tryMany},
	{"side by side", (*exam).tryOverlap},
	{"every worker", (*exam).tryEveryWorker},
	{"all stopped", (*exam).tryStopped},
	{"unknown op", (*exam).tryUnknownOp},
	{"witness", (*exam).tryWitness},
	{"dead worker", (*exam).tryDeadWorker},
	{"stop", func(e *exam, ctx context.Context) error { _ = e.Stop(ctx); return nil }},
}

// Check tries everything that a driver must be able to do and lists what it does wrong. It starts the driver twice: the
// second time its standard input just ends, as it does when the harness is killed. Nothing of it is left afterwards.
// The error says that the check could not be made at all: [*foreign.NotInstalledError], or ctx's.
func Check(ctx context.Context, c Command) (Report, error) {
	r := Report{Argv: c.Argv}
	dir, remove, err := scratch.Dir("respawn-check-")
	if err != nil {
		return r, err
	}
	defer remove()
	c.Size, c.Witness = checkSize, filepath.Join(dir, "witness")
	d, err := open(c)
	if err != nil {
		return r, err
	}
	defer d.Close()
	e := &exam{Driver: d, command: c, good: map[uint64]bool{}, strange: map[int]bool{}, known: map[int]bool{}}
	skip := ""
	for _, s := range steps {
		skip, err = e.runStep(ctx, &r, s, skip)
		if err != nil {
			return r, err
		}
	}
	r.Hello = d.hello
	r.Stderr = d.Stderr()
	if skip != "" {
		r.Steps = append(r.Steps, Step{Name: "end of input", Skipped: skip})
		return r, d.Close()
	}
	if err := d.Close(); err != nil {
		return r, err
	}
	return checkEndOfInput(ctx, r, c)
}

// runStep runs one step and says why the following ones cannot be.
func (e *exam) runStep(ctx context.Context, r *Report, s step, skip string) (string, error) {
	if skip != "" {
		r.Steps = append(r.Steps, Step{Name: s.name, Skipped: skip})
		return skip, nil
	}
	e.notes = nil
	before, began := len(e.Violations()), time.Now()
	err := s.run(e, ctx)
	if notInstalled(err) {
		return "", err
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil || e.isGone() && s.name != "stop" {
		skip = fmt.Sprintf("not tried after %q failed", s.name)
		_ = e.Close()
	}
	r.Steps = append(r.Steps,
		Step{Name: s.name, Found: e.Violations()[before:], Notes: e.notes, Took: time.Since(began)})
	return skip, nil
}

// checkEndOfInput starts the driver again, gives it a task and hangs up.
func checkEndOfInput(ctx context.Context, r Report, c Command) (Report, error) {
	began := time.Now()
	d, err := open(c)
	if err != nil {
		return r, err
	}
	defer d.Close()
	e := &exam{Driver: d, command: c, known: map[int]bool{}}
	if err = e.greet(ctx); err == nil {
		err = e.boot(ctx, c)
	}
	if err == nil {
		_, err = e.submit("sleep", map[string]any{"ms": 500, "n": 1})
	}
	if err == nil {
		d.hangUp(ctx)
	}
	err = d.Close()
	r.Steps = append(r.Steps, Step{Name: "end of input", Found: d.Violations(), Took: time.Since(began)})
	return r, errors.Join(err, ctx.Err())
}

// note adds to the step what is no breach but worth knowing.
func (e *exam) note(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// look asks who the workers are now: one may have died of a task, and been replaced.
func (e *exam) look(ctx context.Context) error {
	now, err := e.Workers(ctx)
	if err == nil {
		e.list(now)
	}
	return err
}

func (e *exam) list(pids []int) {
	e.workers = pids
	for _, pid := range pids {
		e.known[pid] = true
	}
}

// isWorker tells whether that process is a worker, or was one when they were listed.
func (e *exam) isWorker(pid int) bool {
	if !e.known[pid] {
		_ = e.look(context.Background()) // bounded by its own limit
	}
	return e.known[pid]
}

func (e *exam) isGone() bool {
	select {
	case <-e.gone:
		return true
	default:
		return false
	}
}

// submit sends a task under the next id.
func (e *exam) submit(task string, arg map[string]any) (*Future, error) {
	e.id++
	return e.Submit(e.id, task, arg)
}

// result waits for a task that must have an outcome soon.
func (e *exam) result(ctx context.Context, f *Future) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.limits.Task)
	defer cancel()
	a, err := f.Result(ctx)
	if ctx.Err() != nil {
		return a, e.wrong(NoAnswer, 0, "submit",
			"a task has no outcome after %v: answer each with a result or an error", e.limits.Task)
	}
	if err == nil {
		e.good[f.id] = true
	}
	return a, err
}

// right notes an answer that is not what it should be. n is the task's number, whose square it must be.
func (e *exam) right(a Answer, n int) {
	var got float64
	if err := json.Unmarshal(a.Value, &got); err != nil || got != float64(n*n) {
		e.wrong(WrongValue, a.Line, "result", "%s for n = %d: want %d", a.Value, n, n*n)
	}
	if e.Can("pid") && !e.strange[a.PID] && !e.isWorker(a.PID) {
		e.strange[a.PID] = true
		e.wrong(ForeignPID, a.Line, "result",
			"a task was answered by none of the workers %v%s: name the process that ran it, in %s",
			e.workers, e.by(a.PID), wanted["result"])
	}
}

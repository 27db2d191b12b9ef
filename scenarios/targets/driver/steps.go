package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
)

// abilities is what hello's "can" may list.
var abilities = []string{"workers", "pid", "witness"}

// without says what is lost without an ability.
var without = map[string]string{
	"pid":     "no run can be made, since nobody can say which slot answered",
	"workers": "all children of its process are taken for workers, helpers too",
	"witness": "no run can pick idle or busy workers, or count executions",
}

func notInstalled(err error) bool {
	var missing *foreign.NotInstalledError
	return errors.As(err, &missing)
}

func (e *exam) tryHello(ctx context.Context) error {
	if err := e.greet(ctx); err != nil {
		return err
	}
	if e.hello.Name == "" {
		e.wrong(BadField, 1, "hello", "the name is empty: say which pool it is")
	}
	for _, c := range e.hello.Can {
		if !slices.Contains(abilities, c) {
			e.wrong(BadField, 1, "hello", "can %s: want some of %s", quote([]byte(c)), strings.Join(abilities, ", "))
		}
	}
	for _, a := range abilities {
		if !e.Can(a) {
			e.note("it cannot %q: %s", a, without[a])
		}
	}
	return nil
}

func (e *exam) tryStart(ctx context.Context) error {
	before := len(e.Violations())
	if err := e.boot(ctx, e.command); err != nil {
		return err
	}
	e.list(e.ready)
	if len(e.workers) != checkSize && len(e.Violations()) == before {
		e.wrong(BadField, 0, "ready",
			"%d living workers of its own for size %d, which start asked for: say ready when all of them are there",
			len(e.workers), checkSize)
	}
	for _, pid := range e.workers {
		if !procfs.Marked(pid, chaos.MarkerEntry(e.Marker())) {
			e.note("worker %d has no RESPAWN_POOL=%s in its environment: pass it on, or it is not found once its "+
				"parent is gone", pid, e.Marker())
			break
		}
	}
	now, err := e.Workers(ctx)
	if err == nil && e.Can("workers") && !sameSet(now, e.workers) {
		e.wrong(BadField, 0, "workers", "%v, but ready said %v and nothing has died", now, e.workers)
	}
	return err
}

func sameSet(a, b []int) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (e *exam) trySquare(ctx context.Context) error {
	f, err := e.submit("square", map[string]any{"n": 7})
	if err != nil {
		return err
	}
	a, err := e.result(ctx, f)
	if failed(err) {
		e.wrong(Refused, 0, "submit", "square of 7: %v", err)
		return nil
	}
	if err == nil {
		e.right(a, 7)
	}
	return err
}

// tryFailing asks for what cannot be done: the task fails, the driver goes on.
func (e *exam) tryFailing(ctx context.Context) error {
	for _, bad := range []struct {
		task string
		arg  map[string]any
	}{{"no-such-task", map[string]any{"n": 7}}, {"square", map[string]any{"n": "seven"}}} {
		f, err := e.submit(bad.task, bad.arg)
		if err != nil {
			return err
		}
		a, err := e.result(ctx, f)
		switch {
		case err == nil:
			e.wrong(WrongValue, a.Line, "result", "%s for task %q with %v: want an error with the task's id",
				quote(a.Value), bad.task, bad.arg)
		case !failed(err):
			return err
		}
	}
	return e.recover(ctx)
}

// recover waits for as many workers as there were: a pool may let one die of a bad argument, as long as it replaces it.
func (e *exam) recover(ctx context.Context) error {
	for deadline := time.Now().Add(e.limits.Task); ; {
		if err := e.look(ctx); err != nil || len(e.workers) >= checkSize || !e.Can("workers") {
			return err
		}
		if time.Now().After(deadline) {
			e.note("%d of %d workers are left after tasks that failed: the pool does not replace one that dies of "+
				"its task", len(e.workers), checkSize)
			return nil
		}
		if err := wait.For(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func failed(err error) bool {
	var task *TaskError
	return errors.As(err, &task)
}

// tryMany sends many tasks without waiting in between.
func (e *exam) tryMany(ctx context.Context) error {
	const many = 200
	var futures []*Future
	for n := range many {
		f, err := e.submit("square", map[string]any{"n": n})
		if err != nil {
			return err
		}
		futures = append(futures, f)
	}
	for n, f := range futures {
		a, err := e.result(ctx, f)
		switch {
		case failed(err):
			e.wrong(Refused, 0, "submit", "square of %d: %v", n, err)
		case err != nil:
			return err
		default:
			e.right(a, n)
		}
	}
	return nil
}

// tryOverlap asks while a long task runs: neither the list of workers nor a short task may wait for it. On a host that
// is busy otherwise everything may be late, so that it is tried again with a much longer one before it is called wrong.
func (e *exam) tryOverlap(ctx context.Context) error {
	if len(e.workers) < 2 {
		return nil // it has been said, and one alone cannot
	}
	for _, ms := range []int{1000, 3000} {
		free, err := e.overlap(ctx, ms)
		if free || err != nil {
			return err
		}
	}
	return e.wrong(NoAnswer, 0, "submit",
		"requests waited for the end of a running task: answer while tasks run, and each task when it is done")
}

// overlap tells whether requests were answered while a task of that length ran.
func (e *exam) overlap(ctx context.Context, ms int) (free bool, err error) {
	began := time.Now()
	long, err := e.submit("sleep", map[string]any{"ms": ms, "n": 3})
	if err != nil {
		return false, err
	}
	if _, err := e.Workers(ctx); err != nil {
		return false, err
	}
	short, err := e.submit("square", map[string]any{"n": 2})
	if err != nil {
		return false, err
	}
	if _, err := e.result(ctx, short); err != nil && !failed(err) {
		return false, err
	}
	select {
	case <-long.Done():
	default:
		free = true
	}
	a, err := e.result(ctx, long)
	if err != nil {
		return false, err
	}
	e.right(a, 3)
	if took := time.Since(began); took < time.Duration(ms)*time.Millisecond {
		e.wrong(WrongValue, a.Line, "result", "sleep of %dms took %v: it must last that long",
			ms, took.Round(time.Millisecond))
	}
	return free, nil
}

// tryEveryWorker sends overlapping sleeps until each worker has answered one.
func (e *exam) tryEveryWorker(ctx context.Context) error {
	if !e.Can("pid") {
		return nil
	}
	silent := slices.Clone(e.workers)
	for deadline := time.Now().Add(e.limits.Task); len(silent) > 0; {
		if time.Now().After(deadline) {
			e.wrong(NoAnswer, 0, "submit",
				"workers %v answered no task in %v: ready must list processes that run tasks", silent, e.limits.Task)
			return nil
		}
		heard := false
		var futures []*Future
		for range 2 * checkSize {
			f, err := e.submit("sleep", map[string]any{"ms": 50, "n": 5})
			if err != nil {
				return err
			}
			futures = append(futures, f)
		}
		for _, f := range futures {
			a, err := e.result(ctx, f)
			if err != nil {
				return err
			}
			e.right(a, 5)
			heard = heard || slices.Contains(e.workers, a.PID)
			silent = slices.DeleteFunc(silent, func(pid int) bool { return pid == a.PID })
		}
		if !heard {
			e.wrong(NoAnswer, 0, "submit",
				"no worker of %v answered any of %d tasks: ready must list processes that run tasks",
				e.workers, len(futures))
			return nil
		}
	}
	return nil
}

// tryStopped stops all workers for a moment: no task is answered meanwhile, and all are afterwards.
func (e *exam) tryStopped(ctx context.Context) error {
	futures, err := e.prove(ctx, proof{func() uint64 { e.id++; return e.id }, proofKinds()})
	for _, f := range futures {
		a, err := e.result(ctx, f)
		if err != nil {
			return err
		}
		e.right(a, outside.Factor(f.id))
	}
	return err
}

// tryUnknownOp sends what a later version of the protocol might.
func (e *exam) tryUnknownOp(ctx context.Context) error {
	r, err := e.exchange(ctx, request{Op: "no-such-op"}, "error", 2*time.Second)
	if err == nil && r.ID != nil {
		e.wrong(BadField, r.line, "error", "an id in the answer to a request that had none")
	}
	return err
}

// tryWitness looks whether each task that was answered has put itself on record, once and to its end.
func (e *exam) tryWitness(context.Context) error {
	if !e.Can("witness") {
		return nil
	}
	runs, torn, err := witness.ReadFile(e.command.Witness, 0)
	if errors.Is(err, os.ErrNotExist) {
		e.wrong(BadField, 0, "witness", "the witness file was never written: append the lines S and E to the file "+
			"that start names, from the worker")
		return nil
	}
	if err != nil || torn > 0 {
		e.wrong(BadField, 0, "witness", "%d lines are not whole (%v): want S TASK ATTEMPT PID START and E TASK "+
			"ATTEMPT PID START END, each in one write", torn, err)
		return nil
	}
	ended := map[uint64]int{}
	for _, r := range runs {
		if r.End > 0 {
			ended[r.Task]++
		}
	}
	for id, n := range ended {
		if !e.good[id] || n != 1 {
			e.wrong(WrongValue, 0, "witness", "task %d ran to its end %d times by the file of witnesses", id, n)
		}
	}
	for id := range e.good {
		if ended[id] == 0 {
			e.wrong(WrongValue, 0, "witness", "task %d was answered but is not in the file of witnesses", id)
		}
	}
	return nil
}

// tryDeadWorker kills a worker. What becomes of the pool is the pool's business; the driver lives on and keeps the
// protocol.
func (e *exam) tryDeadWorker(ctx context.Context) error {
	workers, err := e.Workers(ctx)
	if err != nil || len(workers) == 0 {
		return err
	}
	victim, err := foreign.Hold(workers[0])
	if err != nil || !e.Owns(workers[0]) {
		return nil //nolint:nilerr // it has just ended by itself
	}
	defer victim.Release()
	e.mu.Lock()
	e.blow = fmt.Sprintf(
		", after its worker %d was killed: the death of a worker must not end the driver, so handle the pool's error",
		workers[0])
	e.mu.Unlock()
	if err := victim.Signal(unix.SIGKILL); err != nil {
		return nil //nolint:nilerr // the same
	}
	select {
	case <-e.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(reactsWithin):
	}
	if _, err := e.submit("square", map[string]any{"n": 2}); err != nil { // it need not be answered
		return err
	}
	_, err = e.Workers(ctx)
	return err
}

// reactsWithin is how long a driver that does not survive the death of a worker may take to show it.
const reactsWithin = 500 * time.Millisecond

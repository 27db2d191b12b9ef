package driver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/outside"
)

// The workers are stopped until the driver has answered a question behind the tasks, which it does last if it runs them
// itself, though for no longer than orderly; and then for stillFor. Who answers in their name later is not found out.
const (
	orderly  = 2 * time.Second
	stillFor = 200 * time.Millisecond
)

// stopsWithin bounds how long it may take until all workers are stopped.
const stopsWithin = 5 * time.Second

// proof is the tasks that are sent while workers are stopped. They look like any others, for a driver that knows them
// could be honest to these alone.
type proof struct {
	number func() uint64 // gives the next number
	kinds  []job         // each in turn, for a driver may run only one of them in its workers
}

// proofKinds are the jobs of every proof: what a driver knows, as short as a probe.
func proofKinds() []job {
	return []job{{task: "square"}, {task: "sleep", ms: outside.ProbeFor.Milliseconds()}}
}

// send sends the i-th task of a proof.
func (p proof) send(d *Driver, i int) (*Future, error) {
	j := p.kinds[i%len(p.kinds)]
	return d.submitJob(p.number(), j)
}

// prove stops all workers that the driver named, sends it tasks, and lets them go on. An answer that comes in between
// is nobody's of them: it is a [*Violation], and nothing that the driver says of its workers proves anything. The tasks
// have their outcome once a worker has run them.
func (d *Driver) prove(ctx context.Context, p proof) ([]*Future, error) {
	workers, err := d.Workers(ctx)
	if err != nil {
		return nil, err
	}
	if !d.Can("workers") {
		workers = d.Ready() // its children may be others
	}
	resume, still := d.still(ctx, workers)
	defer resume()
	if !still {
		return nil, nil // on a host that is too busy to stop them there is nothing to see
	}
	var futures []*Future
	for i := range max(len(workers), len(p.kinds)) {
		f, err := p.send(d, i)
		if err != nil {
			return nil, err
		}
		futures = append(futures, f)
	}
	behind, cancel := context.WithTimeout(ctx, orderly)
	_, _ = d.Workers(behind)
	cancel()
	select {
	case <-time.After(stillFor):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, f := range futures {
		select {
		case <-f.done:
			if f.err == nil && !d.isNew(ctx, f.answer.PID, workers) {
				return nil, d.wrong(Pretence, f.answer.Line, "result",
					"a task was answered while every worker was stopped%s: run tasks in the workers that ready names",
					d.by(f.answer.PID))
			}
		default:
		}
	}
	return futures, nil
}

// splits is how often the workers are divided at random into those that are stopped and those that go on, and then the
// other way round.
const splits = 2

// proveApart stops one half of the workers and sends tasks, then the other half, and then halves that are drawn again.
// An answer in the name of one that is stopped is a [*Violation]: another one works for it. Of four workers any two are
// apart at least once, of more than that three pairs in four.
func (d *Driver) proveApart(ctx context.Context, p proof) (futures []*Future, err error) {
	workers, err := d.Workers(ctx)
	if err != nil || len(workers) < 2 || !d.Can("pid") {
		return nil, err
	}
	rand.Shuffle(len(workers), func(i, j int) { workers[i], workers[j] = workers[j], workers[i] })
	for i := range splits {
		var sides [2][]int
		for k, pid := range workers {
			side := k >> i & 1
			sides[side] = append(sides[side], pid)
		}
		for _, stopped := range sides {
			sent, err := d.proveWithout(ctx, stopped, max(len(workers), len(p.kinds)), p)
			if futures = append(futures, sent...); err != nil || len(stopped) == 0 {
				return futures, err
			}
			d.awaitAll(ctx, sent)
		}
	}
	return futures, nil
}

// proveWithout sends that many tasks while these workers are stopped.
func (d *Driver) proveWithout(ctx context.Context, stopped []int, tasks int, p proof) (futures []*Future, err error) {
	resume, still := d.still(ctx, stopped)
	defer resume()
	if !still {
		return nil, nil
	}
	for i := range tasks {
		f, err := p.send(d, i)
		if err != nil {
			return futures, err
		}
		futures = append(futures, f)
	}
	if err := d.firstAnswer(ctx, futures); err != nil {
		return futures, err
	}
	if err := wait.For(ctx, stillFor); err != nil {
		return futures, err
	}
	for _, f := range futures {
		select {
		case <-f.done:
			if f.err == nil && slices.Contains(stopped, f.answer.PID) {
				return futures, d.wrong(Pretence, f.answer.Line, "result", "a task was answered in the name of "+
					"process %d while that was stopped: run each task in the worker that its answer names",
					f.answer.PID)
			}
		default:
		}
	}
	return futures, nil
}

// awaitAll waits, for as long as orderly, until all of the tasks are settled: who still has one of them when the next
// are sent gets none of those, and nobody can be seen to answer in its name.
func (d *Driver) awaitAll(ctx context.Context, futures []*Future) {
	ctx, cancel := context.WithTimeout(ctx, orderly)
	defer cancel()
	for _, f := range futures {
		_, _ = f.Result(ctx)
	}
}

// firstAnswer waits until one of the tasks is settled, so that those who go on have had their turn on a busy host too;
// though for no longer than a pool takes whose tasks wait behind somebody who is stopped.
func (d *Driver) firstAnswer(ctx context.Context, futures []*Future) error {
	const patience = 3 * stillFor
	for began := time.Now(); time.Since(began) < patience; {
		for _, f := range futures {
			select {
			case <-f.done:
				return nil
			default:
			}
		}
		if err := wait.For(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// isNew tells whether pid is a worker that came after the others were stopped.
func (d *Driver) isNew(ctx context.Context, pid int, stopped []int) bool {
	if !d.Can("pid") || slices.Contains(stopped, pid) {
		return false
	}
	now, err := d.Workers(ctx)
	return err == nil && slices.Contains(now, pid)
}

// by says who answered.
func (d *Driver) by(pid int) string {
	switch {
	case !d.Can("pid"):
		return ""
	case pid == d.PID():
		return fmt.Sprintf(" (by process %d, the driver itself)", pid)
	}
	return fmt.Sprintf(" (by process %d)", pid)
}

// Foreign notes an answer from a process that lives and is neither a worker nor another descendant of the driver's.
func (d *Driver) Foreign(a Answer) {
	if !stranger(a.PID, d.Owns) {
		return // one that has ended since may have been a worker
	}
	d.mu.Lock()
	if d.foreign == nil {
		d.foreign = map[int]bool{}
	}
	first := !d.foreign[a.PID]
	d.foreign[a.PID] = true
	d.mu.Unlock()
	if first {
		_ = d.wrong(ForeignPID, a.Line, "result",
			"a task was answered by no worker%s: name the process that ran the task", d.by(a.PID))
	}
}

// stranger tells whether pid lives though it is not owned. It looks whether it lives after it has asked: one that ends
// meanwhile, or whose end has begun, may have been owned.
func stranger(pid int, owns func(int) bool) bool {
	if owns(pid) {
		return false
	}
	p, err := procfs.Read(pid)
	return err == nil && p.Alive() && !p.Exiting
}

// still stops the workers and tells whether all of them are. The function that it returns lets them go on.
//
// All are told before any is waited for: a pool that looks after its workers must not find one of them stopped for
// longer than it is.
func (d *Driver) still(ctx context.Context, pids []int) (resume func(), all bool) {
	ctx, cancel := context.WithTimeout(ctx, stopsWithin)
	defer cancel()
	held := map[int]*foreign.Held{}
	all = true
	for _, pid := range pids {
		h, err := foreign.Hold(pid)
		if err != nil {
			all = all && errors.Is(err, unix.ESRCH)
			continue
		}
		held[pid] = h
		if !d.Owns(pid) || h.Signal(unix.SIGSTOP) != nil {
			all = all && h.Gone()
		}
	}
	for pid, h := range held {
		for all && !h.Gone() {
			if stopped, err := procfs.Stopped(pid); stopped || err != nil {
				break
			}
			all = wait.For(ctx, time.Millisecond) == nil
		}
	}
	return func() {
		for _, h := range held {
			_ = h.Signal(unix.SIGCONT)
			h.Release()
		}
	}, all
}

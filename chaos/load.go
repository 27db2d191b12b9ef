package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/wait"
)

// Load is the tasks that run during a run. One of Concurrency, Rate and Map is set.
type Load struct {
	Task string         // a built-in, verifiable task: sleep, square, hash, primes, echo, alloc
	Args map[string]any // its arguments

	Concurrency int     // closed loop: so many callers, each with one task at a time
	Rate        float64 // open loop: so many submissions per second, whatever comes back
	Map         int     // one ordered map over so many inputs
	Count       int     // stop after so many tasks and wait for them; 0: until the faults are over
	// A load of a given number of tasks, Count or Map, begins when the chaos does; others with the stage warmup.
}

func (l *Load) validate(t Target) error {
	ways := 0
	for _, set := range []bool{l.Concurrency != 0, l.Rate != 0, l.Map != 0} {
		if set {
			ways++
		}
	}
	_, canRun := t.(Runner)
	_, canMap := t.(Mapper)
	switch {
	case ways != 1:
		return fmt.Errorf("chaos: Load has %d of Concurrency, Rate and Map: want one", ways)
	case l.Concurrency < 0 || l.Rate < 0 || l.Map < 0 || l.Count < 0:
		return errors.New("chaos: Load has a negative number")
	case t != nil && !canRun:
		return fmt.Errorf("chaos: the %s target cannot run tasks: leave Load out", t.Describe().Kind)
	case t != nil && l.Map > 0 && !canMap:
		return fmt.Errorf("chaos: the %s target has no ordered map: use Concurrency", t.Describe().Kind)
	}
	return nil
}

// loader runs a load.
type loader struct {
	x      *experiment
	load   *Load
	submit context.Context // ended: no more submissions
	quit   context.CancelFunc
	wait   context.Context // ended: what is in flight is given up
	giveUp func()
	forget func() // the ends of the contexts are no longer waited for
	wg     sync.WaitGroup
	// of this load, and of what is sent to all slots at once, where the target does not number them
	ids      atomic.Uint64
	begun    atomic.Uint64 // tasks of this load
	progress atomic.Uint64 // tasks that have ended
}

// newLoader makes a loader, which submits until ctx ends. Tasks in flight outlive that where it is for want of time,
// but not outer; they are given up once the history says why the run ended, after which they say nothing about the
// target. Without a load it has nothing to do.
func (x *experiment) newLoader(ctx, outer context.Context) *loader {
	l := &loader{x: x, load: x.Load}
	l.submit, l.quit = context.WithCancel(ctx)
	wait, cancel := context.WithCancel(context.WithoutCancel(outer))
	l.wait, l.giveUp = wait, func() {
		if ctx.Err() != nil {
			x.tell()
		}
		cancel()
	}
	atEnd := context.AfterFunc(ctx, func() {
		if !errors.Is(context.Cause(ctx), ErrTimeout) {
			l.giveUp()
		}
	})
	atInterrupt := context.AfterFunc(outer, func() {
		if ctx.Err() != nil { // it ended for want of time before; else the function above is called
			l.giveUp()
		}
	})
	l.forget = func() { atEnd(); atInterrupt() }
	return l
}

// bounded tells whether the load is a given number of tasks.
func (l *Load) bounded() bool { return l.Count > 0 || l.Map > 0 }

// begin begins to submit, a load of a given number of tasks when the faults begin, others before.
func (l *loader) begin(faults bool) {
	switch {
	case l.load == nil || l.load.bounded() != faults:
	case l.load.Map > 0:
		l.wg.Go(l.runMap)
	case l.load.Rate > 0:
		l.wg.Go(l.openLoop)
	default:
		for range l.load.Concurrency {
			l.wg.Go(l.closedLoop)
		}
	}
}

// next gives the number of the next task, until the load is over.
func (l *loader) next() (id uint64, ok bool) {
	if l.submit.Err() != nil {
		return 0, false
	}
	n := l.begun.Add(1)
	return l.number(1), l.load.Count == 0 || n <= uint64(l.load.Count)
}

// number takes n numbers for tasks, and returns the first of them.
func (l *loader) number(n int) (first uint64) {
	if t, ok := l.x.Target.(Numbering); ok {
		return t.Number(n)
	}
	return l.ids.Add(uint64(n)) - uint64(n) + 1
}

func (l *loader) closedLoop() {
	for {
		id, ok := l.next()
		if !ok {
			return
		}
		if l.run(id) == history.Rejected && wait.For(l.submit, 10*time.Millisecond) != nil {
			return // a closed target rejects at once: asking it a million times a second is no load
		}
	}
}

func (l *loader) openLoop() {
	began := time.Now()
	for n := 1; ; n++ {
		id, ok := l.next()
		if !ok {
			return
		}
		l.wg.Go(func() { l.run(id) })
		due := time.Duration(float64(n) / l.load.Rate * float64(time.Second))
		if wait.For(l.submit, due-time.Since(began)) != nil {
			return
		}
	}
}

// run submits one task and records how it ended.
func (l *loader) run(id uint64) history.Outcome {
	runner, _ := l.x.Target.(Runner)
	began := l.submitted(id)
	s := runner.Do(l.wait, l.task(id))
	l.ended(id, began, s)
	return s.Outcome
}

func (l *loader) runMap() {
	mapper, _ := l.x.Target.(Mapper)
	tasks := make([]Task, l.load.Map)
	began := make([]time.Duration, len(tasks))
	for i := range tasks {
		id := l.number(1)
		tasks[i], began[i] = l.task(id), l.submitted(id)
	}
	mapper.Map(l.wait, tasks, func(i int, s Settled) { l.ended(tasks[i].ID, began[i], s) })
}

func (l *loader) task(id uint64) Task { return Task{ID: id, Name: l.load.Task, Args: l.load.Args} }

func (l *loader) submitted(id uint64) (at time.Duration) {
	l.x.record(history.Event{Task: &history.Task{ID: id, Op: history.Submitted}})
	return l.x.clock.now()
}

func (l *loader) ended(id uint64, began time.Duration, s Settled) {
	l.progress.Add(1)
	if s.Outcome != history.OK && l.wait.Err() == nil {
		l.x.doubt()
	}
	l.x.record(history.Event{Task: &history.Task{
		ID: id, Op: history.Settled, Outcome: s.Outcome, Latency: l.x.clock.now() - began, Attempts: s.Attempts,
		PID: s.PID, Err: s.Err,
	}})
}

// idle waits until nothing is in flight any more, at most until no task has ended for so long. It reports whether that
// came to be; the error is ctx's.
func (l *loader) idle(ctx context.Context, still time.Duration) (bool, error) {
	done := make(chan struct{})
	go func() { l.wg.Wait(); close(done) }()
	for last, since := l.progress.Load(), time.Now(); time.Since(since) < still; {
		tick, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		select {
		case <-done:
			cancel()
			return true, nil
		case <-tick.Done():
			cancel()
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if now := l.progress.Load(); now != last {
			last, since = now, time.Now()
		}
	}
	return false, nil
}

// finish waits for a load of a given number of tasks to come to its end.
func (l *loader) finish(ctx context.Context, still time.Duration) error {
	if l.load == nil || !l.load.bounded() {
		return nil
	}
	_, err := l.idle(ctx, still)
	return err
}

// still ends the load and waits until nothing is in flight, or no task has ended for so long. It is false if tasks go
// on ending for twice that.
func (l *loader) still(long time.Duration) bool {
	l.quit()
	ctx, cancel := context.WithTimeout(l.wait, 2*long)
	defer cancel()
	_, err := l.idle(ctx, long)
	return err == nil
}

// drain ends the load and waits for what is in flight; what does not end is given up and counted as hung. The error is
// ctx's.
func (l *loader) drain(ctx context.Context, still time.Duration) error {
	l.quit()
	_, err := l.idle(ctx, still)
	if err == nil {
		l.abandon()
	}
	return err
}

// abandon ends the load and gives up what is in flight. Abandoning twice is fine.
func (l *loader) abandon() {
	l.quit()
	l.giveUp()
	l.forget()
	l.wg.Wait()
}

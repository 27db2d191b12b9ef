package own

import (
	"context"
	"errors"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/pool"
)

// Load is the pool with a task of the caller's in place of the built-in ones, whatever task the scenario names: input
// makes the argument of its n-th submission, and check says what is wrong with the answer to it. nil takes every
// answer.
func Load[In, Out any](p *Pool, task pool.Task[In, Out], input func(n uint64) In,
	check func(In, Out) error,
) chaos.Target {
	if check == nil {
		check = func(In, Out) error { return nil }
	}
	return &loaded[In, Out]{p, task, input, check}
}

type loaded[In, Out any] struct {
	*Pool
	task  pool.Task[In, Out]
	input func(uint64) In
	check func(In, Out) error
}

// Do implements chaos.Runner.
func (l *loaded[In, Out]) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	in := l.input(task.ID)
	f := l.task.Submit(ctx, l.Pool.Pool, in)
	out, err := f.Result(ctx)
	return told(f, l.verdict(ctx, in, out, err))
}

// Map implements chaos.Mapper.
func (l *loaded[In, Out]) Map(ctx context.Context, tasks []chaos.Task, ended func(int, chaos.Settled)) {
	inputs := make([]In, len(tasks))
	for i, task := range tasks {
		inputs[i] = l.input(task.ID)
	}
	inOrder(ctx, l.Pool, l.task, inputs, func(i int, out Out, err error) chaos.Settled {
		return l.verdict(ctx, inputs[i], out, err)
	}, ended)
}

func (l *loaded[In, Out]) verdict(ctx context.Context, in In, out Out, err error) chaos.Settled {
	if err != nil {
		return failure(ctx, err)
	}
	if err := l.check(in, out); err != nil {
		return chaos.Settled{Outcome: history.Wrong, Err: err.Error()}
	}
	return chaos.Settled{Outcome: history.OK}
}

// failure is how a task ended without an answer.
func failure(ctx context.Context, err error) chaos.Settled {
	var lost *pool.WorkerLostError
	switch {
	case errors.As(err, &lost):
		return chaos.Settled{Outcome: history.Lost, Err: err.Error()}
	case ctx.Err() != nil:
		return chaos.Settled{Outcome: history.Hung, Err: err.Error()}
	}
	return chaos.Settled{Outcome: history.Failed, Err: err.Error()}
}

// told adds what the pool itself tells of the task: what it never took it did not fail.
func told[Out any](f *pool.Future[Out], s chaos.Settled) chaos.Settled {
	if f.TaskID() == 0 && s.Outcome == history.Failed {
		s.Outcome = history.Rejected
	}
	select {
	case <-f.Done():
		o := f.Outcome()
		s.Attempts, s.PID = o.Attempts, o.PID
	default:
	}
	return s
}

// inOrder runs the inputs as one ordered stream and tells how each ended.
func inOrder[In, Out any](ctx context.Context, t *Pool, task pool.Task[In, Out], inputs []In,
	verdict func(int, Out, error) chaos.Settled, ended func(int, chaos.Settled),
) {
	taken := make(chan bool, len(inputs))
	feed := func(yield func(In, error) bool) {
		defer close(taken)
		for _, in := range inputs {
			more := yield(in, nil) // waits for room, then submits
			taken <- !t.closed.Load()
			if !more {
				return
			}
		}
	}
	i := 0
	for out, err := range task.Stream(ctx, t.Pool, feed) {
		if i < len(inputs) {
			s := verdict(i, out, err)
			if !<-taken && s.Outcome == history.Failed {
				s.Outcome = history.Rejected
			}
			ended(i, s)
		}
		i++
	}
	for ; i < len(inputs); i++ {
		ended(i, chaos.Settled{Outcome: history.Hung})
	}
}

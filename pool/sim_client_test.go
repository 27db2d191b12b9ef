package pool

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync"
	"time"
)

// simFate is what became of a task.
type simFate struct {
	mu        sync.Mutex
	execs     []*simExec // the truth, from the fake workers
	submitted time.Time
	accepted  bool      // it was, and the client knows its outcome in full
	settles   int       // how often it settled
	settledAt time.Time // the first time
	known     bool      // err and value are its outcome
	value     []byte
	err       error
	outcome   Outcome
	loose     bool // its stream was left or cancelled: whatever became of it is fine
}

// options are the task's, as the pool's API takes them.
func (t *simTask) options() (opts []Option) {
	if t.timeout > 0 {
		opts = append(opts, WithTimeout(t.timeout))
	}
	if t.delivery == AtMostOnce {
		opts = append(opts, WithDelivery(AtMostOnce))
	}
	if t.slot >= 0 {
		opts = append(opts, OnSlot(t.slot))
	}
	return opts
}

// context is cancelled when the task is to be.
func (t *simTask) context() (context.Context, context.CancelFunc) {
	if t.cancel > 0 {
		return context.WithTimeout(context.Background(), t.cancel)
	}
	return context.Background(), func() {}
}

func (t *simTask) submits() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.submitted = time.Now()
}

func (t *simTask) settled() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settles++
	if t.settles == 1 {
		t.settledAt = time.Now()
	}
}

func (t *simTask) learned(value []byte, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known, t.value, t.err = true, value, err
	if t.settledAt.IsZero() {
		t.settledAt = time.Now()
	}
}

// client does one lane of the plan, and waits for everything it submitted.
func (s *simulation) client(lane []simStep) {
	var waits []func()
	for _, step := range lane {
		<-time.After(step.wait)
		switch step.how {
		case bySubmit:
			for _, t := range step.tasks {
				waits = append(waits, s.submit(t))
			}
		case byCall:
			for _, t := range step.tasks {
				s.call(t)
			}
		default:
			s.stream(step)
		}
	}
	for _, wait := range waits {
		wait()
	}
}

// submit is Task.Submit with an eye on how often the task settles. The function it returns waits for the outcome.
func (s *simulation) submit(t *simTask) (wait func()) {
	t.submits()
	ctx, cancel := t.context()
	f := simWork.make(t.argument(s.number), t.options(), false)
	f.call.more().settle = func() {
		s.tell(nil, "task %d settles: %v", t.n, f.call.err)
		t.settled()
	}
	s.tell(nil, "task %d is submitted", t.n)
	if s.pool.submit(ctx, &f.call) == nil && ctx.Done() != nil {
		s.pool.cancelWhenDone(ctx, &f.call)
	}
	return func() {
		v, err := f.Result(context.Background())
		t.learned(v, err)
		t.mu.Lock()
		t.outcome, t.accepted = f.Outcome(), f.TaskID() > 0
		t.mu.Unlock()
		cancel()
	}
}

func (s *simulation) call(t *simTask) {
	ctx, cancel := t.context()
	defer cancel()
	t.submits()
	s.tell(nil, "task %d is called", t.n)
	v, err := t.call(ctx, via(s.pool), t.argument(s.number))
	s.tell(nil, "task %d returns: %v", t.n, err)
	t.learned(v, err)
	t.settled()
}

// call is Task.Call, or for some tasks Borrow, whose bytes are looked at when others have had time to write to them.
func (t *simTask) call(ctx context.Context, r Runner, arg []byte) ([]byte, error) {
	if t.n%2 == 0 {
		return simWork.Call(ctx, r, arg, t.options()...)
	}
	loan, err := Borrow(ctx, r, Task[[]byte, Lent]{simWork.def}, arg, t.options()...)
	if err != nil {
		return nil, err
	}
	if t.n%16 == 1 {
		return loan.Bytes(), nil // and never gives it back
	}
	defer loan.Release()
	<-time.After(t.work)
	return bytes.Clone(loan.Bytes()), nil
}

// stream runs a step's tasks as Stream, StreamUnordered or Map.
func (s *simulation) stream(step simStep) {
	ctx, cancel := step.tasks[0].context()
	defer cancel()
	var args [][]byte
	for _, t := range step.tasks {
		t.submits()
		args = append(args, t.argument(s.number))
	}
	opts := step.tasks[0].options()
	s.tell(nil, "tasks %d to %d are streamed", step.tasks[0].n, step.tasks[len(args)-1].n)
	i := 0
	for v, err := range s.outcomes(ctx, step, args, opts) {
		var ended bool
		if t := step.taskOf(i, v, err); t != nil && (err == nil || ctx.Err() == nil) {
			t.learned(v, err)
			t.settled()
		} else {
			ended = ctx.Err() != nil
		}
		if i++; i == step.after {
			s.tell(nil, "and left after %d", i)
			break
		}
		if i > len(args) && !ended {
			s.violated("every task settles exactly once", "a stream of %d yields more", len(args))
		}
	}
	if i < len(args) && ctx.Err() == nil && step.after == 0 {
		s.violated("every task settles exactly once", "a stream of %d yields %d", len(args), i)
	}
	for _, t := range step.tasks {
		t.mu.Lock()
		t.loose = !t.known
		t.mu.Unlock()
	}
}

// outcomes are those of the step, as a sequence whichever way it goes.
func (s *simulation) outcomes(ctx context.Context, step simStep, args [][]byte, opts []Option) iter.Seq2[[]byte, error] {
	switch step.how {
	case byStream:
		return simWork.Stream(ctx, via(s.pool), Slice(args), opts...)
	case byStreamUnordered:
		return simWork.StreamUnordered(ctx, via(s.pool), Slice(args), opts...)
	}
	values, err := simWork.Map(ctx, via(s.pool), args, opts...)
	errs := make([]error, len(values))
	if joined, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // Map's own error
		for _, e := range joined.Unwrap() {
			if item := new(ItemError); errors.As(e, &item) && item.Index < len(errs) {
				errs[item.Index] = item.Err
			}
		}
	}
	return func(yield func([]byte, error) bool) {
		for i, v := range values {
			if !yield(v, errs[i]) {
				return
			}
		}
	}
}

// taskOf is the task whose outcome a stream yields as its i-th. Unordered ones tell by their value.
func (step simStep) taskOf(i int, v []byte, err error) *simTask {
	switch {
	case step.how != byStreamUnordered && i < len(step.tasks):
		return step.tasks[i]
	case step.how != byStreamUnordered || err != nil || len(v) < simArgSize:
		return nil
	}
	for _, t := range step.tasks {
		if bytes.Equal(complement(v)[8:simArgSize], t.argument(0)[8:simArgSize]) {
			return t
		}
	}
	return nil
}

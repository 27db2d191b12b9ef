package pool

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Future is the outcome of one submitted task. It settles exactly once. Safe for concurrent use.
type Future[Out any] struct {
	call  call
	codec Codec
}

// Done is closed when the task has settled.
func (f *Future[Out]) Done() <-chan struct{} { return f.call.done() }

// Result waits for the outcome. ctx bounds the wait only: when it ends first, Result returns its error and the task
// goes on. After the task has settled, Result returns the same outcome every time; a value that refers to memory (a
// slice, a map) is decoded anew each time.
func (f *Future[Out]) Result(ctx context.Context) (Out, error) {
	if err := f.call.wait(ctx); err != nil {
		return *new(Out), err
	}
	return f.value()
}

// TaskID is the task's number within its pool, counting up from 1: events and exits name it. 0 if it was not accepted.
func (f *Future[Out]) TaskID() uint64 { return f.call.id }

// Outcome tells how the task came to its end; call it after Done is closed.
func (f *Future[Out]) Outcome() Outcome {
	<-f.Done()
	return Outcome{Attempts: int(f.call.attempt), Exits: f.call.exits, PID: int(f.call.pid), Run: f.call.ran}
}

// Outcome tells how a task came to its end.
type Outcome struct {
	Attempts int           // how often it was sent to a worker and not taken back
	Exits    []Exit        // the deaths it was blamed for
	PID      int           // the worker whose answer settled it; 0 if none did
	Run      time.Duration // how long the handler ran, as that worker says
}

// value decodes the settled call.
func (f *Future[Out]) value() (Out, error) {
	var out Out
	if f.call.err != nil {
		return out, f.call.err
	}
	if err := f.codec.Decode(f.call.result, &out); err != nil {
		return out, &EncodeError{Task: f.call.name, What: "decode result", Err: err}
	}
	return out, nil
}

// call is one submitted task, whatever its types. The fields up to the blank line are written by its submitter before
// it is queued; the rest belong to Pool.mu until it has settled, and are immutable after.
type call struct {
	name    string
	options options
	payload []byte
	id      uint64
	handler uint16

	settled bool   // has its outcome
	copied  bool   // its large payload is in its worker's arena, or on the way
	attempt uint16 // times sent and not taken back
	pid     int32
	queue   *queue  // where it waits; nil when it does not
	on      *worker // the worker it was last sent to
	seq     uint32  // its number there
	exits   []Exit
	crashes uint16 // deaths blamed, by budget
	ooms    uint16
	kills   uint16
	raw     frameKind // what the worker answered, 0 if none did
	result  []byte    // the answer's payload
	err     error
	ran     time.Duration
	detach  func() bool // from the submitter's context
	settle  func()      // tells a stream; called once
	signal  atomic.Pointer[waiting]

	inline [24]byte // the payload of a small argument, then its result
}

// waiting is what waiters of a call block on. A nil pointer means that nobody waits yet; settledSignal that nobody needs to.
type waiting struct{ c chan struct{} }

var settledSignal = func() *waiting {
	s := &waiting{c: make(chan struct{})}
	close(s.c)
	return s
}()

// done returns a channel that is closed once the call has settled.
func (c *call) done() <-chan struct{} {
	s := c.signal.Load()
	if s == nil {
		s = &waiting{c: make(chan struct{})}
		if !c.signal.CompareAndSwap(nil, s) {
			s = c.signal.Load()
		}
	}
	return s.c
}

// wait blocks until the call has settled (nil) or ctx is done (its error). A settled call wins over a done context.
func (c *call) wait(ctx context.Context) error {
	if c.signal.Load() == settledSignal {
		return nil
	}
	done := c.done()
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// announce wakes the waiters of a call that was just settled. It is called once, after Pool.mu is released.
func (c *call) announce() {
	if c.raw > frameValue {
		c.err = c.failure()
	}
	if c.detach != nil {
		c.detach()
	}
	defer func() {
		if c.settle != nil {
			c.settle()
		}
	}()
	if old := c.signal.Swap(settledSignal); old != nil {
		close(old.c)
	}
}

// failure decodes a worker's answer that is not a value.
func (c *call) failure() error {
	corrupt := func(err error) error { return &EncodeError{Task: c.name, What: "decode failure", Err: err} }
	switch c.raw {
	case frameError:
		var w wireError
		if err := CBOR.Decode(c.result, &w); err != nil {
			return corrupt(err)
		}
		return unpackError(c.name, w)
	case framePanic:
		var w wirePanic
		if err := CBOR.Decode(c.result, &w); err != nil {
			return corrupt(err)
		}
		return &PanicError{Task: c.name, Value: w.Value, Stack: w.Stack}
	case frameEncode:
		var w wireEncode
		if err := CBOR.Decode(c.result, &w); err != nil {
			return corrupt(err)
		}
		if w.TooLarge {
			return fmt.Errorf("%w: result of task %q: %s", ErrPayloadTooLarge, c.name, w.Err.Message)
		}
		return &EncodeError{Task: c.name, What: w.What, Err: unpackError(c.name, w.Err)}
	default:
		return fmt.Errorf("%w: %q", ErrUnknownTask, c.name)
	}
}

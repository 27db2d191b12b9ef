package pool

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// Future is the outcome of one submitted task. It settles exactly once. Safe for concurrent use.
type Future[Out any] struct {
	call call
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
	return f.value(false)
}

// TaskID is the task's number within its pool, counting up from 1: events and exits name it. 0 if it was not accepted.
func (f *Future[Out]) TaskID() uint64 { return f.call.id }

// Outcome tells how the task came to its end; call it after Done is closed.
func (f *Future[Out]) Outcome() Outcome {
	<-f.Done()
	return f.call.told()
}

// Outcome tells how a task came to its end.
type Outcome struct {
	TaskID   uint64        // 0 if it was not accepted
	Attempts int           // how often it was sent to a worker and not taken back
	Exits    []Exit        // the deaths it was blamed for
	PID      int           // the worker whose answer settled it; 0 if none did
	Run      time.Duration // how long the handler ran, as that worker says
	// Queue is how long it waited until it was sent to the worker that it ended at, and Total how long it took in all:
	// both are 0 if nobody looked, which [WithOutcome] makes sure of.
	Queue, Total time.Duration
}

// value decodes the settled call. Its bytes may become the value's if nobody else will ask.
func (f *Future[Out]) value(last bool) (out Out, err error) {
	if f.call.err != nil {
		return out, f.call.err
	}
	if last && f.call.def.codec.TakeOver(f.call.data, &out) {
		return out, nil
	}
	if len(f.call.data) > f.call.def.light {
		err = codec.TooHeavy(f.call.data, reflect.TypeFor[Out]())
	}
	if err == nil {
		out, err = codec.Decode[Out](f.call.def.codec, f.call.data)
	}
	if err != nil {
		return out, &EncodeError{Task: f.call.def.name, What: "decode result", Err: err}
	}
	return out, nil
}

// call is one submitted task, whatever its types. It is small, because there are as many as tasks: what most do not
// need is in extra. def, data, id and slot are written by its submitter before it is queued; the rest belongs to who
// has the lock until it has settled, and is immutable after.
type call struct {
	def    *definition
	data   []byte  // its argument, after head bytes of inline; then the answer's payload
	queue  *queue  // where it waits; nil when it does not
	on     *worker // the worker it was last sent to
	reads  *worker // the worker that its caller reads, who alone sets and clears it
	err    error
	signal atomic.Pointer[waiting]
	extra  *extra
	loan   *held

	id      uint64
	ran     time.Duration
	seq     uint32 // its number at the worker
	pid     int32
	slot    int32     // 1-based, 0: any
	attempt uint16    // times sent and not taken back
	raw     wire.Kind // what the worker answered, 0 if none did
	settled bool      // has its outcome
	begun   bool      // its worker sent a result, so that it has started whatever the claim word says
	copied  bool      // its large payload is in its worker's arena, or on the way

	head     uint8
	borrowed bool     // data is the caller's, who waits until nobody copies it
	copying  uint8    // writers that copy it into an arena now
	lends    bool     // its result may stay in the arena: loan is then set
	patient  bool     // it waits for room in a full queue, whatever Config.QueueBlock says
	inline   [24]byte // for small data
}

// extra is what only some calls have.
type extra struct {
	options
	exits   []Exit
	crashes uint16 // deaths blamed, by budget
	ooms    uint16
	kills   uint16
	returns uint16      // times that it came back from a dead worker as not started
	opaque  bool        // came by Send: its answer is for somebody else to decode
	detach  func() bool // from the submitter's context
	settle  func()      // tells a stream; called once
	timing  *timing     // of one that is looked at
	grace   *alarm      // until a cancelled one's worker is killed
}

// more is the call's extra, made if it has none.
func (c *call) more() *extra {
	if c.extra == nil {
		c.extra = &extra{}
	}
	return c.extra
}

func (c *call) options() (o options) {
	if c.extra != nil {
		o = c.extra.options
	}
	return o
}

// blame adds a death.
func (c *call) blame(x Exit) { c.more().exits = append(c.more().exits, x) }

// exits are the deaths it was blamed for.
func (c *call) exits() []Exit {
	if c.extra == nil {
		return nil
	}
	return c.extra.exits
}

// unblamed is how often it came back from a dead worker without being blamed for the death.
func (c *call) unblamed() int {
	n := int(c.attempt) - len(c.exits())
	if c.extra != nil {
		n += int(c.extra.returns)
	}
	return n
}

// waiting is what waiters of a call block on. A nil pointer means that nobody waits yet; settledSignal that nobody
// needs to.
type waiting struct {
	c    chan struct{}
	once bool // for a single waiter: c gets a token in place of being closed, and is used again
}

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
		return ended(ctx)
	}
}

// announce wakes the waiters of a call that was just settled. It is called once, outside of critical sections.
func (c *call) announce() {
	if c.raw > wire.FrameValue && (c.extra == nil || !c.extra.opaque) {
		c.err = c.failure()
	}
	x := c.extra
	if x != nil && x.detach != nil {
		x.detach()
		x.detach = nil
	}
	if x != nil && x.outcome != nil {
		x.outcome(c.told())
	}
	if old := c.signal.Swap(settledSignal); old != nil && old.once {
		old.c <- struct{}{}
	} else if old != nil && old != settledSignal {
		close(old.c)
	}
	if x != nil && x.settle != nil {
		x.settle()
	}
}

// failure decodes a worker's answer that is not a value.
func (c *call) failure() error {
	if c.def.external {
		return c.externalFailure()
	}
	corrupt := func(err error) error { return &EncodeError{Task: c.def.name, What: "decode failure", Err: err} }
	switch c.raw {
	case wire.FrameError:
		var w wire.Error
		if err := codec.DecodeFailure(c.data, &w); err != nil {
			return corrupt(err)
		}
		return unpackError(c.def.name, w)
	case wire.FramePanic:
		var w wire.Panic
		if err := codec.DecodeFailure(c.data, &w); err != nil {
			return corrupt(err)
		}
		return &PanicError{Task: c.def.name, Value: w.Value, At: w.At, Stack: w.Stack}
	case wire.FrameEncode:
		var w wire.CodecFailure
		if err := codec.DecodeFailure(c.data, &w); err != nil {
			return corrupt(err)
		}
		if w.TooLarge {
			return fmt.Errorf("%w: result of task %q: %s", ErrPayloadTooLarge, c.def.name, w.Err.Message)
		}
		return &EncodeError{Task: c.def.name, What: w.What, Err: unpackError(c.def.name, w.Err)}
	default:
		return fmt.Errorf("%w: %q: register tasks in package-level variables", ErrUnknownTask, c.def.name)
	}
}

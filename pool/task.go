package pool

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/serve"
)

// Task is a registered function that runs in worker processes. Register makes it; the zero value is not usable. It is
// immutable and safe for concurrent use, with any number of pools.
type Task[In, Out any] struct{ def *definition }

// definition is what all calls of one task share.
type definition struct {
	name  string
	index uint16 // in the registry
	codec codec.Scheme
	light int // so many bytes of its result can be decoded unseen

	external bool  // its handler is another program's
	flags    uint8 // of its frames
}

// Register names a function so that workers can run it. It belongs in a package-level variable: every process of the
// program must register the same tasks before Main is called. It panics if the name is empty, longer than 255 bytes or
// taken, or if Main has been called in a worker.
//
// The handler runs in another process: what main sets is not set there (see [Main]), and pooltest.Vet finds handlers
// that read it.
//
// In and Out travel as CBOR (see [CBOR]): exported fields of structs, maps, slices, numbers, strings, bytes, times, and
// what has both methods of cbor.Marshaler or of encoding.BinaryMarshaler and their opposite. Register panics on a type
// of which something would be lost or could not be encoded, with the path to it: unexported fields (as in *os.File,
// bytes.Buffer, *regexp.Regexp), interfaces with methods (error too), channels, functions, fields that hide each other,
// fields beside an embedded type that encodes the whole. A field with the tag `cbor:"-"` or `json:"-"` is left behind
// on purpose; what is lost within one with `pool:"lossy"` is not looked for. A value in an any is looked at when it is
// encoded, and fails the task with *EncodeError. A handler that reads large bytes and does not keep them takes them as
// [Lent].
//
// The handler's context carries its attempt number and idempotency key ([Attempt], [Key]) and is cancelled when the
// submitter's is. An error it returns reaches the caller as *HandlerError, which errors.As and errors.Is see through
// for types named with [RegisterError] and [RegisterSentinel]; a panic arrives as *PanicError.
func Register[In, Out any](name string, handler func(ctx context.Context, in In) (Out, error)) Task[In, Out] {
	return RegisterCodec(name, CBOR, handler)
}

// RegisterCodec is Register with a codec of the caller's own, which alone knows what it can carry: the types are not
// looked at.
func RegisterCodec[In, Out any](name string, c Codec,
	handler func(ctx context.Context, in In) (Out, error),
) Task[In, Out] {
	by := codec.Of(c)
	by.MustCarry("task", name, "argument", reflect.TypeFor[In]())
	by.MustCarry("task", name, "result", reflect.TypeFor[Out]())
	index := serve.Registry.AddTask(name, func(ctx context.Context, arg, dst []byte) (enc, part []byte, err error) {
		in, err := codec.DecodeArgument[In](by, arg)
		if err != nil {
			return dst, nil, &serve.CodecError{What: "decode argument", Err: err}
		}
		out, err := handler(ctx, in)
		if err != nil {
			return dst, nil, err
		}
		if part = codec.PartOf(by, arg, &out); part != nil {
			return dst, part, nil
		}
		if enc, err = codec.Encode(by, dst, out); err != nil {
			return dst, nil, &serve.CodecError{What: "encode result", Err: err}
		}
		return enc, nil, nil
	})
	return Task[In, Out]{&definition{name: name, index: index, codec: by, light: codec.Unseen[Out](by)}}
}

// Name is the name the task was registered with.
func (t Task[In, Out]) Name() string { return t.def.name }

// Call submits the task and waits for its outcome: Submit and Result in one, with ctx bounding both. When ctx ends
// first, the task is cancelled and Call returns ctx's error.
func (t Task[In, Out]) Call(ctx context.Context, r Runner, in In, opts ...Option) (Out, error) {
	p, here := r.(*Pool)
	if !here {
		f := t.Submit(ctx, r, in, opts...)
		<-f.Done()
		return f.value(true)
	}
	f := t.make(in, opts, true)
	p.do(ctx, &f.call)
	return f.value(true)
}

// do submits a call and waits until it has settled, and until nobody copies what it borrows.
func (p *Pool) do(ctx context.Context, c *call) {
	w := p.waiter()
	defer p.waiters.Put(w)
	c.signal.Store(w)
	if p.submit(ctx, c) != nil {
		<-w.c
		return
	}
	if c.reads != nil {
		c.read(ctx, w.c)
	}
	if done := ctx.Done(); done == nil {
		<-w.c
	} else {
		select {
		case <-w.c:
		case <-done:
			p.cancel(c, ctx)
			<-w.c
		}
	}
	if c.borrowed {
		_ = p.await(context.Background(), func(*state) bool { return c.copying == 0 })
	}
}

// Submit hands the task to the pool, or whatever else runs it, and returns its future at once. ctx cancels the task:
// before it starts it never runs; while it runs its handler's context is cancelled; either way the future settles with
// ctx's error. An error that Submit itself meets (ErrClosed, ErrQueueFull, *EncodeError, …) settles the future too, so
// that it can be ignored here and found there.
func (t Task[In, Out]) Submit(ctx context.Context, r Runner, in In, opts ...Option) *Future[Out] {
	f := t.make(in, opts, false)
	if r.submit(ctx, &f.call) == nil && ctx.Done() != nil {
		r.cancelWhenDone(ctx, &f.call)
	}
	return f
}

// Map runs the task for every input and returns the values in the inputs' order. It always waits for all of them: the
// error joins one *ItemError for each input that failed, and the failed inputs' values are zero. An empty input returns
// at once. ctx cancels what is not done.
func (t Task[In, Out]) Map(ctx context.Context, r Runner, in []In, opts ...Option) ([]Out, error) {
	out := make([]Out, len(in))
	if len(in) == 0 {
		return out, nil
	}
	var errs []error
	var last error
	i := 0
	for v, err := range t.Stream(ctx, r, Slice(in), opts...) {
		if i == len(in) {
			break // ctx ended after the last of them
		}
		if err != nil {
			errs = append(errs, &ItemError{Index: i, Err: err})
		}
		out[i] = v
		last = err
		i++
	}
	for ; i < len(in); i++ { // a cancelled stream ends with one error for all that it did not begin
		errs = append(errs, &ItemError{Index: i, Err: last})
	}
	return out, errors.Join(errs...)
}

// make encodes the input into a new future, borrowing its bytes if the caller will wait. An encoding failure is kept in
// the call; submit settles it.
func (t Task[In, Out]) make(in In, opts []Option, borrow bool) *Future[Out] {
	f := &Future[Out]{}
	c := &f.call
	c.def = t.def
	if len(opts) > 0 {
		m := c.more()
		for _, o := range opts {
			o(&m.options)
		}
		c.slot = m.slot
		if len(m.key) > maxKey {
			c.err = fmt.Errorf("pool: task %s: WithKey got %d bytes: want at most %d", t.def.name, len(m.key), maxKey)
			return f
		}
		if err := m.checkMeta(t.def.name); err != nil {
			c.err = err
			return f
		}
	}
	if c.borrow(&in, borrow) {
		return f
	}
	var err error
	if c.data, err = codec.Encode(t.def.codec, c.inline[:0], in); err != nil {
		c.err = &EncodeError{Task: t.def.name, What: "encode argument", Err: err}
	}
	return f
}

// ItemError is one failed input of Map.
type ItemError struct {
	Index int // of the input
	Err   error
}

func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }

// Unwrap gives the item's error.
func (e *ItemError) Unwrap() error { return e.Err }

// Option changes how one task is run.
type Option func(*options)

// options is what Options set; its zero value means the pool's defaults.
type options struct {
	timeout  time.Duration
	delivery Delivery
	hasDel   bool
	slot     int32 // 1-based; 0: any
	key      string
	route    string // where a Transport is to run it
	outcome  func(Outcome)
	meta     map[string]string
	carried  string  // key, meta and deadline, packed
	budgets  Budgets // of a task that came from elsewhere; zero fields are the pool's
}

// WithTimeout sets the task's timeout in place of Config.TaskTimeout; see there for what counts. 0 leaves it at that,
// and less means none.
func WithTimeout(d time.Duration) Option { return func(o *options) { o.timeout = d } }

// WithDelivery sets the task's delivery in place of Config.Delivery.
func WithDelivery(d Delivery) Option { return func(o *options) { o.delivery, o.hasDel = d, true } }

// maxKey bounds an idempotency key, bytes.
const maxKey = 255

// WithKey sets the idempotency key that the handler reads with [Key], at most 255 bytes: a longer one fails the task.
// By default each submission has a key of its own, the same on every attempt.
func WithKey(key string) Option { return func(o *options) { o.key = key } }

// OnSlot sends the task to the worker of that slot (0 to Size-1) and no other, waiting for its replacement if need be,
// however often that fails to boot while other slots answer: bound it with a context.
// It is for probes: it goes before queued tasks, and a slot has a queue of its own, to which Config.QueueLimit applies
// by itself.
func OnSlot(slot int) Option {
	return func(o *options) {
		if slot < 0 || slot > maxSize { // and not what they would be taken for
			slot = maxSize
		}
		o.slot = int32(slot) + 1
	}
}

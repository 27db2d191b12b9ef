package pool

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// Runner is what tasks are submitted to: a [Pool], or a [Remote] that carries them elsewhere. Only this package implements
// it; a type that embeds a *Remote is one too. It is safe for concurrent use.
type Runner interface {
	// Drain takes no new tasks (ErrClosed from now on) and waits until every accepted one has settled.
	Drain(ctx context.Context) error
	// Close is Drain for a bounded time, and the end of what is left after that.
	Close() error

	submit(ctx context.Context, c *call) error
	submitWaiting(ctx context.Context, c *call) error
	cancel(c *call, ctx context.Context)
	cancelWhenDone(ctx context.Context, c *call)
	streamWindow() int
	windowChanged() <-chan struct{} // closed when streamWindow may be larger; nil: never without a task that settles
}

// Transport carries tasks to workers, wherever they are, as bytes: the task's name and its encoded argument there, its
// encoded outcome back. [NewRemote] makes a [Runner] of one. A *Pool is a Transport. All methods are safe for concurrent use.
type Transport interface {
	// Send hands m over and returns. Unless it returns an error, done is called exactly once, when the task has settled:
	// on any goroutine, perhaps before Send returns, and it must not block. ctx bounds Send alone, which may wait for room
	// (see Message.Block). Errors are those of submitting to a pool: ErrClosed, ErrQueueFull, ErrPayloadTooLarge,
	// ErrUnknownTask, ErrNoSuchSlot, *CrashLoopError, ctx's. Send keeps m and what it refers to until done is called.
	Send(ctx context.Context, m *Message, done func(*Reply)) error
	// Cancel settles the message of that ID with context.Canceled if it has not settled: before it starts it never runs,
	// while it runs its handler's context is cancelled. An ID that is not here is no error.
	Cancel(id uint64)
	// Window is how many messages keep every worker busy just now, at least 1. While nobody is there to work it is the
	// number that may well wait for them, so that who fills the window does not wait for ever.
	Window() int
	// Changed returns a channel that is closed when Window may have grown; nil if it does so only as messages settle.
	Changed() <-chan struct{}
	// Drain and Close are as those of Runner.
	Drain(ctx context.Context) error
	Close() error
}

// Message is one task on its way to a Transport.
type Message struct {
	ID   uint64 // by whom it is cancelled; unique among what the Transport has
	Task string // the registered name
	// External says that the task is declared with External: the receiving program declares it too, for a pool with a Command.
	External bool
	Arg      []byte // encoded by the task's codec; not changed by anybody
	Key      string // the idempotency key, at most 255 bytes; "": the receiving pool makes one
	Slot     int    // as [OnSlot] has it, from 1; 0 is any
	Route    string // see [WithRoute]
	Block    bool   // wait for room in a full queue, whatever the receiver's configuration says
	Timeout  time.Duration
	// Delivery holds if HasDelivery says so, else the receiver's default.
	Delivery    Delivery
	HasDelivery bool
	Budgets     Budgets // the task's own; zero fields are the receiver's
	Attempts    int     // how often it was sent to a worker before
	Exits       []Exit  // the deaths it was blamed for before: they count against the budgets
}

// ReplyKind says what a Reply is.
type ReplyKind uint8

// The kinds of replies. All but ReplyFailed are a worker's answer.
const (
	ReplyFailed  ReplyKind = iota // Err: the pool settled the task itself
	ReplyValue                    // Payload: the result, by the task's codec
	ReplyError                    // Payload: the handler's error
	ReplyPanic                    // Payload: the handler's panic
	ReplyEncode                   // Payload: why argument or result could not be decoded or encoded
	ReplyUnknown                  // the worker's program has no task of that name
)

func (k ReplyKind) String() string {
	return [...]string{"failed", "value", "error", "panic", "encode", "unknown"}[min(k, ReplyUnknown)]
}

// replyKinds gives the kind of a worker's answer, and replyFrames the other way round.
var (
	replyKinds = map[wire.Kind]ReplyKind{
		wire.FrameValue: ReplyValue, wire.FrameError: ReplyError, wire.FramePanic: ReplyPanic, wire.FrameEncode: ReplyEncode, wire.FrameUnknown: ReplyUnknown,
	}
	replyFrames = [...]wire.Kind{0, wire.FrameValue, wire.FrameError, wire.FramePanic, wire.FrameEncode, wire.FrameUnknown}
)

// Reply is how a message's task came to its end. Payload is opaque to everybody but the program that registered the task.
type Reply struct {
	Kind     ReplyKind
	Payload  []byte // the receiver's to keep
	Err      error  // of ReplyFailed, one of this package's errors or a context's
	Attempts int    // as [Outcome] has them
	Exits    []Exit
	PID      int
	Run      time.Duration
}

// WithRoute says to a Transport where the task is to run, in the Transport's own words: such options are made by the package
// that has the Transport. A *Pool has one place only, and refuses every route but "".
func WithRoute(route string) Option { return func(o *options) { o.route = route } }

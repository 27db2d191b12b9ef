package pool

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// Runner is what tasks are submitted to: a [Pool], or a [Remote] that carries them elsewhere. Only this package
// implements it; a type that embeds a *Remote is one too. It is safe for concurrent use.
type Runner interface {
	// Drain takes no new tasks (ErrClosed from now on) and waits until every accepted one has settled.
	Drain(ctx context.Context) error
	// Close is Drain for a bounded time, and the end of what is left after that.
	Close() error

	submit(ctx context.Context, c *call) error
	cancel(c *call, ctx context.Context)
	cancelWhenDone(ctx context.Context, c *call)
	streamWindow() int
	windowChanged() <-chan struct{} // closed when streamWindow may be larger; nil: never without a task that settles
}

// Transport carries tasks to workers, wherever they are, as bytes: the task's name and its encoded argument there, its
// encoded outcome back. [NewRemote] makes a [Runner] of one. A *Pool is a Transport. All methods are safe for
// concurrent use.
type Transport interface {
	// Send hands m over and returns. Unless it returns an error, done is called exactly once, when the task has
	// settled: on any goroutine, perhaps before Send returns, and it must not block. ctx bounds Send alone, which may
	// wait for room (see Message.Block). Errors are those of submitting to a pool: ErrClosed, ErrQueueFull,
	// ErrPayloadTooLarge, ErrUnknownTask, ErrNoSuchSlot, *CrashLoopError, ctx's. Send keeps m and what it refers to
	// until done is called.
	Send(ctx context.Context, m *Message, done func(*Reply)) error
	// Cancel settles the message of that ID with context.Canceled if it has not settled: before it starts it never
	// runs, while it runs its handler's context is cancelled. An ID that is not here is no error.
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
	// External says that the task is declared with External: the receiving program declares it too, for a pool with a
	// Command.
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
		wire.FrameValue: ReplyValue, wire.FrameError: ReplyError, wire.FramePanic: ReplyPanic,
		wire.FrameEncode: ReplyEncode, wire.FrameUnknown: ReplyUnknown,
	}
	replyFrames = [...]wire.Kind{
		0, wire.FrameValue, wire.FrameError, wire.FramePanic, wire.FrameEncode, wire.FrameUnknown,
	}
)

// Reply is how a message's task came to its end. Payload is opaque to everybody but the program that registered the
// task.
type Reply struct {
	Kind     ReplyKind
	Payload  []byte // the receiver's to keep
	Err      error  // of ReplyFailed, one of this package's errors or a context's
	Attempts int    // as [Outcome] has them
	Exits    []Exit
	PID      int
	Run      time.Duration
}

// WithRoute says to a Transport where the task is to run, in the Transport's own words: such options are made by the
// package that has the Transport. A *Pool has one place only, and refuses every route but "".
func WithRoute(route string) Option { return func(o *options) { o.route = route } }

var _ Transport = (*Pool)(nil)

// Send submits a task by its name and the bytes of its argument, and has done called with the bytes of its outcome: the
// pool as a [Transport]. It blocks as Submit does. A name that this program has not registered is ErrUnknownTask.
func (p *Pool) Send(ctx context.Context, m *Message, done func(*Reply)) error {
	def, err := p.definition(m)
	if err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	both := &struct { // in one piece, since every such call has both
		call
		extra
	}{call: call{def: def, data: m.Arg, attempt: uint16(m.Attempts), patient: m.Block}}
	c, x := &both.call, &both.extra
	c.extra = x
	x.options = options{
		timeout: m.Timeout, delivery: m.Delivery, hasDel: m.HasDelivery, slot: int32(m.Slot), key: m.Key,
		route:   m.Route,
		budgets: m.Budgets,
	}
	c.slot, x.opaque = x.slot, true
	for _, exit := range m.Exits {
		c.blame(exit)
		x.charge(exit)
	}
	x.settle = func() {
		p.sent.remove(m.ID, c)
		done(c.reply())
	}
	p.sent.add(m.ID, c)
	if err := p.accept(ctx, c); err != nil {
		p.sent.remove(m.ID, c)
		return err
	}
	return nil
}

// sentCalls are the calls that came by Send and have not settled, by the ID of their message.
type sentCalls struct {
	mu sync.Mutex
	of map[uint64]*call
}

func (s *sentCalls) add(id uint64, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[uint64]*call)
	}
	s.of[id] = c
}

// remove forgets c, and no other that has come with its ID since.
func (s *sentCalls) remove(id uint64, c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[id] == c {
		delete(s.of, id)
	}
}

func (s *sentCalls) get(id uint64) *call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[id]
}

// definition is what the message calls by name, if this pool's workers can run it.
func (p *Pool) definition(m *Message) (*definition, error) {
	if m.External != (p.cfg.Command != nil) {
		return nil, p.misfit(&definition{name: m.Task, external: m.External})
	}
	if m.External {
		if def, ok := externals.Load(m.Task); ok {
			return def.(*definition), nil
		}
	} else if index, ok := serve.Registry.Index(m.Task); ok {
		return &definition{name: m.Task, index: index}, nil
	}
	return nil, fmt.Errorf("%w: %q: register tasks in package-level variables", ErrUnknownTask, m.Task)
}

// Fingerprint tells pools apart that cannot run the same tasks: it is of the names that the program has registered, or,
// of a pool with Config.Command, of those that it has declared with External.
func (p *Pool) Fingerprint() uint64 {
	if p.cfg.Command == nil {
		_, sum := serve.Registry.Fingerprint(-1)
		return sum
	}
	var names []string
	externals.Range(func(name, _ any) bool {
		names = append(names, name.(string))
		return true
	})
	slices.Sort(names)
	h := fnv.New64a()
	for _, name := range append(names, "external") {
		_, _ = io.WriteString(h, name+"\x00") // never fails
	}
	return h.Sum64()
}

// check finds what no submitter of this program can have made, since a message may have come from another one.
func (m *Message) check() error {
	bad := func(what string, got, most any) error {
		return fmt.Errorf("pool: message %d for task %q: %s %v: want 0 to %v", m.ID, m.Task, what, got, most)
	}
	b := m.Budgets
	switch {
	case len(m.Key) > maxKey:
		return bad("a key of length", len(m.Key), maxKey)
	case m.Slot < 0 || m.Slot > maxSize+1:
		return bad("Slot", m.Slot, maxSize+1)
	case m.Attempts < 0 || m.Attempts > math.MaxUint16:
		return bad("Attempts", m.Attempts, math.MaxUint16)
	case m.Delivery > AtMostOnce:
		return bad("Delivery", uint8(m.Delivery), uint8(AtMostOnce))
	case min(b.Crashes, b.OOM, b.Killed, b.Nodes) < 0 || max(b.Crashes, b.OOM, b.Killed, b.Nodes) > maxBudget:
		return bad("Budgets", b, maxBudget)
	case len(m.Exits) > 3*maxBudget:
		return bad("a number of Exits of", len(m.Exits), 3*maxBudget)
	}
	return nil
}

// Cancel cancels the task that came by Send with that ID.
func (p *Pool) Cancel(id uint64) {
	if c := p.sent.get(id); c != nil {
		p.cancel(c, cancelled)
	}
}

// cancelled is the context of who cancels without one.
var cancelled = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Window is how many tasks the ready workers take, at least one for each slot.
func (p *Pool) Window() int { return p.streamWindow() / 2 }

// Changed is nil: a pool's window grows as its tasks settle.
func (p *Pool) Changed() <-chan struct{} { return nil }

func (p *Pool) windowChanged() <-chan struct{} { return nil }

// reply tells how a settled call ended.
func (c *call) reply() *Reply {
	r := &Reply{Attempts: int(c.attempt), Exits: c.exits(), PID: int(c.pid), Run: c.ran, Err: c.err}
	if r.Err == nil {
		r.Kind, r.Payload = replyKinds[c.raw], c.data
	}
	return r
}

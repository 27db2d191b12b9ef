// Package serve is the worker's side of a pool: it takes tasks from the socket, claims each, runs its handler, and
// writes what came of it; beside that it does what the control socket says. It knows what the program registered, and
// nothing of the pool.
package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/stack"
	"github.com/respawn-go/respawn/internal/wire"
)

// Host is the worker's side of its process: what serve needs of the operating system. The simulation has a fake.
type Host struct {
	Page        wire.Page
	Down, Up    []byte                    // arenas; nil: everything travels in the socket
	Read        func([]byte) (int, error) // blocks; 0, nil at the end
	ReadControl func([]byte) (int, error) // likewise, the control socket
	Write       func([]byte) error        // blocks until everything is written
	SettleIn    func()                    // what need not be done before ready
	Terminated  <-chan os.Signal          // SIGTERM from outside, once settled in; before that it just kills
	Die         func(syscall.Signal)      // by its own hand; does not return
	Exit        func(code int)            // does not return
	Orphaned    func()                    // the parent is gone; does not return
	Complain    func(error)
}

// Server is a worker's protocol loop and what its side goroutines share with it.
type Server struct {
	Host
	in      wire.Buffer
	hello   wire.Hello
	names   int
	current atomic.Pointer[Context] // the running task's
	spare   []Context               // made many at a time
	clock   time.Duration           // when the last task of the batch ended; 0: it is the first

	// full while tasks are taken from the buffer and run; no mutex, so that virtual time can pass
	serving  chan struct{}
	stopping atomic.Bool

	outMu   sync.Mutex
	broken  error  // of the first write that failed
	out     []byte // finished results not yet written
	outFrom time.Duration
	scratch []byte
	pending uint64 // large results put into the arena
}

const (
	flushBytes = 32 << 10
	flushAfter = 200 * time.Microsecond
)

// New makes the worker's side of that process. Main is its life.
func New(h Host) *Server { return &Server{Host: h, serving: make(chan struct{}, 1)} }

// Booted tells whether the worker has said ready.
func (s *Server) Booted() bool { return s.names > 0 }

// Runs tells whether ctx is the running task's.
func (s *Server) Runs(ctx context.Context) bool { return ctx == context.Context(s.current.Load()) }

// Cut ends the work of a worker that is no process, and so does not stop by itself when it is dead: it starts no task
// any more, and one that it claims is not run.
func (s *Server) Cut() {
	s.stopping.Store(true)
	s.Page.Arm(wire.CrashAfterRead)
}

// Cancel cancels the context of the running task, if there is one.
func (s *Server) Cancel() {
	if tc := s.current.Load(); tc != nil {
		tc.cancel()
	}
}

// LetGo lets go of who waits for the end of a batch in which such a worker has died.
func (s *Server) LetGo() {
	select {
	case <-s.serving:
	default:
	}
}

// Main is the life of a worker process. It does not return.
func (s *Server) Main() {
	booted := make(chan struct{})
	go func() {
		<-s.Terminated
		select {
		case <-booted:
			s.stop(true)
		default:
			s.Die(syscall.SIGTERM) // nothing was started yet; the parent sees that it was killed from outside
		}
	}()
	if err := s.boot(); err != nil {
		s.Complain(err)
		s.Exit(1)
	}
	close(booted)
	s.serve()
	s.Exit(1)
}

// fill reads more bytes.
func (s *Server) fill() error {
	n, err := s.Read(s.in.Space(16 << 10))
	if n <= 0 {
		return s.cutOff(err)
	}
	s.in.Added(n)
	return nil
}

// cutOff is called when a socket gives nothing more: its end, or a reset if something was not read, means that the
// parent is gone. Anything else is this worker's own doing, such as a handler that closes what is not its own.
func (s *Server) cutOff(err error) error {
	if err == nil || errors.Is(err, syscall.ECONNRESET) {
		s.Orphaned()
	}
	return fmt.Errorf("cannot read from the parent: %w", cmp.Or(err, io.EOF))
}

// serve runs tasks until the worker stops or its parent is gone.
func (s *Server) serve() {
	for {
		if err := s.fill(); err != nil {
			s.Complain(err)
			return
		}
		s.crash(wire.CrashBeforeRead)
		s.serving <- struct{}{}
		if !s.served(s.batch()) {
			return
		}
	}
}

// served ends a batch, and tells whether there may be more.
func (s *Server) served(err error) bool {
	select {
	case <-s.serving:
	default: // a fake worker that is dead, whose close let go of who waits for the end of the batch
	}
	if err != nil {
		s.Complain(err)
	}
	return err == nil
}

// batch runs every whole task in the buffer, then writes what is not written of their results.
func (s *Server) batch() error {
	s.Page.SetPhase(wire.PhaseReading, 0)
	s.clock = 0
	var f wire.Frame
	for !s.stopping.Load() {
		ok, err := s.in.Next(&f)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if f.Kind != wire.FrameTask {
			return fmt.Errorf("%w: want a task, got kind %d", wire.ErrFrame, f.Kind)
		}
		s.run(&f)
	}
	if err := s.flush(); err != nil {
		return err
	}
	if !s.stopping.Load() {
		s.Page.SetPhase(wire.PhaseIdle, 0)
	}
	return nil
}

// run claims one task, runs its handler, and appends its result to the outgoing ones.
func (s *Server) run(f *wire.Frame) {
	tc := s.newContext(f)
	s.current.Store(tc) // before the claim: a cancel that follows it finds the task here
	if !s.Page.Start(f.Seq) {
		return
	}
	s.Page.SetPhase(wire.PhaseRunning, f.Seq)
	s.crash(wire.CrashAfterRead)
	crashed := s.crashLater()
	began := s.clock // reading the clock costs as much as a small handler: tasks in a row share a reading
	if began == 0 {
		began = wire.Now()
	}
	returned := false
	defer s.goOnUnless(&returned, tc)
	result := s.handle(tc, f)
	returned = true
	ended := wire.Now()
	s.clock = ended
	if crashed != nil {
		<-crashed // the handler was faster than the crash that was asked for
		runtime.Goexit()
	}
	s.Page.SetPhase(wire.PhaseWriting, f.Seq)
	tc.finish()
	result.ID, result.Seq, result.Run = f.ID, f.Seq, uint64(max(ended-began, 0))
	s.emit(result, ended)
	s.Page.Word(wire.OffDone).Add(1)
}

// contexts is how many contexts are made at a time. A handler that keeps its context keeps so many in memory.
const contexts = 32

// newContext makes the context of one task. It is never used again for another, since a handler may leave something
// behind that still looks at it.
func (s *Server) newContext(f *wire.Frame) *Context {
	if len(s.spare) == 0 {
		s.spare = make([]Context, contexts)
	}
	tc := &s.spare[0]
	s.spare = s.spare[1:]
	tc.id, tc.seq, tc.attempt, tc.pool = f.ID, f.Seq, int(f.Attempt), s.hello.Pool
	if f.KeyLen > 0 {
		tc.key = f.Key()
	}
	return tc
}

// handle calls the handler and makes the frame that tells its outcome; id, seq and run are the caller's to set.
func (s *Server) handle(tc *Context, f *wire.Frame) (r wire.Frame) {
	arg := f.Body()
	if f.Flags&wire.FlagArena != 0 {
		ref, ok := wire.ParseRef(arg)
		if arg = ref.Slice(s.Down); !ok || arg == nil {
			return failure("decode argument", errors.New("reference outside the arena"))
		}
	}
	if int(f.Handler) >= s.names {
		return wire.Frame{Kind: wire.FrameUnknown}
	}
	defer func() {
		if v := recover(); v != nil {
			p := wire.Panic{Value: beginning(fmt.Sprint(v)), At: stack.PanickedAt(), Stack: stack.Trace()}
			payload, _ := codec.CBOR.Append(nil, &p)
			r = wire.Frame{Kind: wire.FramePanic, Payload: payload}
		}
	}()
	dst, inArena := s.resultBuffer()
	out, part, err := Registry.funcs[f.Handler](tc, arg, dst)
	if err != nil {
		return handlerFailure(err)
	}
	if part != nil {
		return s.partFrame(part)
	}
	if !inArena {
		s.scratch = out[:0]
	}
	if int64(len(out)) > s.hello.MaxPayload {
		return tooLarge(len(out), s.hello.MaxPayload)
	}
	return wire.Frame{Kind: wire.FrameValue, Payload: out}
}

// stop lets the running task finish, writes its result and exits with 0; tasks that were not started are left for the
// parent, which finds their claims untouched. With goodbye it tells the parent at once not to send more.
func (s *Server) stop(goodbye bool) {
	s.stopping.Store(true)
	if goodbye {
		s.send(&wire.Frame{Kind: wire.FrameGoodbye})
		_ = s.flush()
	}
	s.serving <- struct{}{} // batch leaves after the running task
	s.Page.SetPhase(wire.PhaseDraining, 0)
	s.crash(wire.CrashDuringDrain)
	_ = s.flush()
	s.Exit(0)
}

// serveControl serves the control socket; its end means that the parent is gone, also while a handler runs.
func (s *Server) serveControl() {
	buf := make([]byte, 0, 64*wire.ControlSize)
	for {
		n, err := s.ReadControl(buf[len(buf):cap(buf)])
		if n <= 0 || err != nil {
			s.Complain(s.cutOff(err))
			s.Exit(1)
		}
		buf = buf[:len(buf)+n]
		whole := len(buf) / wire.ControlSize * wire.ControlSize
		for i := 0; i < whole; i += wire.ControlSize {
			s.handleControl(wire.DecodeControl(buf[i:]))
		}
		buf = buf[:copy(buf, buf[whole:])]
	}
}

// handleControl does what the parent says beside the tasks.
func (s *Server) handleControl(m wire.Control) {
	switch m.Kind {
	case wire.ControlPing:
		s.Page.Word(wire.OffPong).Store(uint64(m.Arg))
	case wire.ControlCancel:
		if tc := s.current.Load(); tc != nil && tc.seq == m.Arg {
			tc.cancel()
		}
	case wire.ControlFlush:
		_ = s.flush()
	case wire.ControlStop:
		go s.stop(false)
	}
}

package pool

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/wire"
)

// Main turns a re-executed copy of this program into what it was started as: a worker, the guardian, or a process of a fleet
// that fleettest has started, and then never returns. In any other process it does nothing but remember that it was called. It
// must be the first statement of func main, before flags are parsed or anything is started, and of TestMain in tests:
//
//	func TestMain(m *testing.M) { pool.Main(); os.Exit(m.Run()) }
//
// A worker runs nothing of main after Main. Flags are not parsed there, and what main sets is not set: a handler sees
// package-level variables as they are declared. os.Args is the worker's name alone, and every init function and package-level
// declaration of the program runs again in each worker. What handlers need goes into their arguments, into [Config.Env], or once
// for each worker into [Config.Initializer]. docs/workers.md has the rest: directory, output, signals, limits.
//
// Under go test -cover, what handlers covered counts for each worker that exits: on Close, Drain, Restart, Resize, recycling.
// One that is killed, as Terminate does, has written nothing: close the pool at the end of the test.
func Main() { reexec.Main() }

// A process of this program that is marked as a worker serves.
var _ = reexec.Worker.Serve(func(name string) {
	registry.frozen.Store(true)
	workerMain(name)
})

// One that is marked as a worker of another language is none.
var _ = reexec.Protocol.Serve(func(string) {
	os.Stderr.WriteString("respawn: Config.Command started a program that calls pool.Main, which does not speak docs/wire.md: name it in Config.Program, or unset " +
		reexec.Protocol.Env + "\n")
	os.Exit(1)
})

// host is the worker's side of its process: what serve needs of the operating system. The simulation has a fake.
type host struct {
	page        wire.Page
	down, up    []byte                    // arenas; nil: everything travels in the socket
	read        func([]byte) (int, error) // blocks; 0, nil at the end
	readControl func([]byte) (int, error) // likewise, the control socket
	write       func([]byte) error        // blocks until everything is written
	settleIn    func()                    // what need not be done before ready
	terminated  <-chan os.Signal          // SIGTERM from outside, once settled in; before that it just kills
	die         func(syscall.Signal)      // by its own hand; does not return
	exit        func(code int)            // does not return
	orphaned    func()                    // the parent is gone; does not return
	complain    func(error)
}

// server is a worker's protocol loop and what its side goroutines share with it.
type server struct {
	host
	in      wire.Buffer
	hello   wire.Hello
	names   int
	current atomic.Pointer[taskContext] // the running task's
	spare   []taskContext               // made many at a time
	clock   time.Duration               // when the last task of the batch ended; 0: it is the first

	serving  chan struct{} // full while tasks are taken from the buffer and run; no mutex, so that virtual time can pass
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

func newServer(h host) *server { return &server{host: h, serving: make(chan struct{}, 1)} }

// main is the life of a worker process. It does not return.
func (s *server) main() {
	booted := make(chan struct{})
	go func() {
		<-s.terminated
		select {
		case <-booted:
			s.stop(true)
		default:
			s.die(syscall.SIGTERM) // nothing was started yet; the parent sees that it was killed from outside
		}
	}()
	if err := s.boot(); err != nil {
		s.complain(err)
		s.exit(1)
	}
	close(booted)
	s.serve()
	s.exit(1)
}

// fill reads more bytes.
func (s *server) fill() error {
	n, err := s.read(s.in.Space(16 << 10))
	if n <= 0 {
		return s.cutOff(err)
	}
	s.in.Added(n)
	return nil
}

// cutOff is called when a socket gives nothing more: its end, or a reset if something was not read, means that the parent is gone.
// Anything else is this worker's own doing, such as a handler that closes what is not its own.
func (s *server) cutOff(err error) error {
	if err == nil || errors.Is(err, syscall.ECONNRESET) {
		s.orphaned()
	}
	return fmt.Errorf("cannot read from the parent: %w", cmp.Or(err, io.EOF))
}

// serve runs tasks until the worker stops or its parent is gone.
func (s *server) serve() {
	for {
		if err := s.fill(); err != nil {
			s.complain(err)
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
func (s *server) served(err error) bool {
	select {
	case <-s.serving:
	default: // a fake worker that is dead, whose close let go of who waits for the end of the batch
	}
	if err != nil {
		s.complain(err)
	}
	return err == nil
}

// batch runs every whole task in the buffer, then writes what is not written of their results.
func (s *server) batch() error {
	s.page.SetPhase(wire.PhaseReading, 0)
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
		s.page.SetPhase(wire.PhaseIdle, 0)
	}
	return nil
}

// run claims one task, runs its handler, and appends its result to the outgoing ones.
func (s *server) run(f *wire.Frame) {
	tc := s.newContext(f)
	s.current.Store(tc) // before the claim: a cancel that follows it finds the task here
	if !s.page.Start(f.Seq) {
		return
	}
	s.page.SetPhase(wire.PhaseRunning, f.Seq)
	s.crash(wire.CrashAfterRead)
	crashed := s.crashLater()
	began := s.clock // reading the clock costs as much as a small handler: tasks in a row share a reading
	if began == 0 {
		began = monotonic()
	}
	returned := false
	defer s.goOnUnless(&returned, tc)
	result := s.handle(tc, f)
	returned = true
	ended := monotonic()
	s.clock = ended
	if crashed != nil {
		<-crashed // the handler was faster than the crash that was asked for
		runtime.Goexit()
	}
	s.page.SetPhase(wire.PhaseWriting, f.Seq)
	tc.finish()
	result.ID, result.Seq, result.Run = f.ID, f.Seq, uint64(max(ended-began, 0))
	s.emit(result, ended)
	s.page.Word(wire.OffDone).Add(1)
}

// contexts is how many contexts are made at a time. A handler that keeps its context keeps so many in memory.
const contexts = 32

// newContext makes the context of one task. It is never used again for another, since a handler may leave something
// behind that still looks at it.
func (s *server) newContext(f *wire.Frame) *taskContext {
	if len(s.spare) == 0 {
		s.spare = make([]taskContext, contexts)
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
func (s *server) handle(tc *taskContext, f *wire.Frame) (r wire.Frame) {
	arg := f.Body()
	if f.Flags&wire.FlagArena != 0 {
		ref, ok := wire.ParseRef(arg)
		if arg = ref.Slice(s.down); !ok || arg == nil {
			return failure("decode argument", errors.New("reference outside the arena"))
		}
	}
	if int(f.Handler) >= s.names {
		return wire.Frame{Kind: wire.FrameUnknown}
	}
	defer func() {
		if v := recover(); v != nil {
			p := wire.Panic{Value: beginning(fmt.Sprint(v)), At: panickedAt(), Stack: string(stack())}
			payload, _ := CBOR.Append(nil, &p)
			r = wire.Frame{Kind: wire.FramePanic, Payload: payload}
		}
	}()
	dst, inArena := s.resultBuffer()
	out, part, err := registry.funcs[f.Handler](tc, arg, dst)
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
func (s *server) stop(goodbye bool) {
	s.stopping.Store(true)
	if goodbye {
		s.send(&wire.Frame{Kind: wire.FrameGoodbye})
		_ = s.flush()
	}
	s.serving <- struct{}{} // batch leaves after the running task
	s.page.SetPhase(wire.PhaseDraining, 0)
	s.crash(wire.CrashDuringDrain)
	_ = s.flush()
	s.exit(0)
}

// serveControl serves the control socket; its end means that the parent is gone, also while a handler runs.
func (s *server) serveControl() {
	buf := make([]byte, 0, 64*wire.ControlSize)
	for {
		n, err := s.readControl(buf[len(buf):cap(buf)])
		if n <= 0 || err != nil {
			s.complain(s.cutOff(err))
			s.exit(1)
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
func (s *server) handleControl(m wire.Control) {
	switch m.Kind {
	case wire.ControlPing:
		s.page.Word(wire.OffPong).Store(uint64(m.Arg))
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

package pool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// simProcess is a fake worker process: the parent's side of it is here, the worker's, which runs the real protocol
// loop, in server.
type simProcess struct {
	sim  *simulation
	slot int  // it was started for; -1: the spare bench
	nth  int  // of those
	dice dice // of the faults
	born time.Time

	board    wire.Page
	down, up []byte
	toWorker *simPipe
	toParent *simPipe
	orders   *simPipe // the control socket
	server   *serve.Server
	sigterm  chan os.Signal

	gone   chan struct{} // closed at its death
	exited chan struct{} // closed when it can be reaped
	stop   chan struct{} // closed by stopReading
	wake   chan struct{} // makes receive return
	hung   chan struct{} // closed by hangUp
	once   struct{ stop, hung sync.Once }

	weighed atomic.Int64 // how often its memory was looked at

	mu         sync.Mutex
	dead       bool
	cont       chan struct{} // closed by SIGCONT; nil: not stopped
	pending    bool          // SIGTERM came while it was stopped
	status     process.Status
	confineErr error
	unreapable bool          // takes long to be reaped
	held       bool          // its socket outlives it
	slowOutput time.Duration // somebody takes so long to take its output; set before its death
	lazy       bool          // who writes to it takes long; set before anybody does
	swallows   bool          // what it sends goes elsewhere
	reaped     bool
	closed     bool
	simRecord
}

// simRecord is the truth about a process, as the fake itself saw it.
type simRecord struct {
	execs    []*simExec
	exit     *Exit // the pool's record of its end
	diedAt   time.Time
	exitAt   time.Time // when it can be reaped
	killedAt time.Time // by the pool, the first time
	byPool   bool      // that kill is what ended it
	stopped  time.Time // since when it has been stopped; zero: it is not
	stalls   [][2]time.Time
	lied     bool // sent what no worker should, or closed its socket
	oom      uint64
	stderr   string
	termed   bool // SIGTERM from outside
	stops    bool // was asked to stop by the pool
}

// simArena is the size of the arenas, where a plan has them.
const simArena = wire.Places * simPlace

// simPlace is room for one payload there.
const simPlace = wire.InlinePayload + 16<<10

func newSimProcess(s *simulation, slot, nth int) *simProcess {
	w := &simProcess{slot: slot, nth: nth}
	stream := func(kind int) dice { return newDice(s.plan.seed, kind, w.PID()) }
	*w = simProcess{
		sim: s, slot: slot, nth: nth, dice: stream(diceFault), born: time.Now(),
		board: wire.Page{Mem: make([]byte, wire.PageSize)}, toParent: newSimPipe(stream(diceToParent), 1<<30),
		orders: newSimPipe(stream(diceControl), 4<<10), sigterm: make(chan os.Signal, 1), gone: make(chan struct{}),
		exited: make(chan struct{}), stop: make(chan struct{}), wake: make(chan struct{}, 1), hung: make(chan struct{}),
	}
	w.toWorker = newSimPipe(stream(diceToWorker), []int{200, 4 << 10, 200 << 10}[w.dice.IntN(3)])
	if s.plan.bulk {
		w.down, w.up = make([]byte, simArena), make([]byte, simArena)
	}
	return w
}

func (w *simProcess) PID() int { return 1000*(w.slot+2) + w.nth }

// String names a process by its place, which unlike the pool's name for it is the same whenever the seed is run: slots
// that start workers at the same instant race for the next name.
func (w *simProcess) String() string {
	if w.slot < 0 {
		return fmt.Sprintf("spare %d", w.nth)
	}
	return fmt.Sprintf("slot %d.%d", w.slot, w.nth)
}

func (w *simProcess) Record() process.Record    { return w.board }
func (w *simProcess) Halted() bool              { return false }
func (w *simProcess) Arenas() (down, up []byte) { return w.down, w.up }
func (w *simProcess) Cgroup() string            { return "" }
func (w *simProcess) GiveBack(memory []byte)    { clear(memory) }
func (w *simProcess) Keep() func()              { return func() {} }

func (w *simProcess) Receive(space func() []byte, got func(n int) bool) error {
	for {
		n, err := w.toParent.get(space(), w.stop, w.wake)
		if n == 0 || err != nil {
			return err
		}
		if !got(n) {
			return nil
		}
	}
}

func (w *simProcess) Interrupt() {
	poke(w.wake)
	letOthersRun()
}

// letOthersRun lets those who were woken run before who woke them.
func letOthersRun() {
	for range 10 {
		runtime.Gosched()
	}
}

func (w *simProcess) StopReading()       { w.once.stop.Do(func() { close(w.stop) }) }
func (w *simProcess) HangUp()            { w.once.hung.Do(func() { close(w.hung) }) }
func (w *simProcess) Drain(b []byte) int { return w.toParent.drain(b) }

func (w *simProcess) TryWrite(b []byte) (int, error) {
	w.inUse("tryWrite")
	if w.lazy {
		letOthersRun()
	}
	if w.deaf() {
		return 0, syscall.EPIPE
	}
	return w.toWorker.put(b), nil
}

func (w *simProcess) Write(b []byte) error {
	for len(b) > 0 {
		n, err := w.TryWrite(b)
		if err != nil {
			return err
		}
		if b = b[n:]; n > 0 {
			continue
		}
		select {
		case <-w.toWorker.room:
		case <-w.hung:
			return os.ErrDeadlineExceeded
		case <-w.broken():
		}
	}
	return nil
}

// deaf tells whether the worker's end of the socket is closed.
func (w *simProcess) deaf() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dead && !w.held
}

// broken is closed when a blocked write fails.
func (w *simProcess) broken() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held {
		return nil
	}
	return w.gone
}

func (w *simProcess) Control(m wire.Control) {
	w.inUse("control")
	if m.Kind == wire.ControlStop {
		w.mu.Lock()
		w.stops = true
		w.mu.Unlock()
	}
	b := m.Encode()
	w.orders.put(b[:])
}

func (w *simProcess) Signal(sig syscall.Signal) error { return errors.ErrUnsupported }

// kill takes effect a moment later, as a signal does.
func (w *simProcess) Kill() {
	w.inUse("kill")
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.killedAt.IsZero() {
		return
	}
	w.killedAt = time.Now()
	w.sim.tell(w, "the pool kills it")
	time.AfterFunc(newDice(w.sim.plan.seed, diceKill, w.PID()).span(100, simLatency), func() {
		w.end(process.Status{Code: -1, Signal: syscall.SIGKILL}, true)
	})
}

func (w *simProcess) AwaitDeath() { <-w.exited }

// wait takes a while longer when somebody is slow to take the output.
func (w *simProcess) Wait() process.Status {
	<-w.exited
	<-time.After(w.slowOutput)
	if d := newDice(w.sim.plan.seed, diceOutput, w.PID()); w.sim.plan.sinks > 0 && d.chance(1./8) {
		<-time.After(d.span(1000, w.sim.plan.sinks))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reaped {
		w.sim.violated("nothing is left", "%v was reaped twice", w)
	}
	w.reaped = true
	w.sim.tell(w, "reaped")
	return w.status
}

func (w *simProcess) Confine(int64, bool) (_, _ error) { return nil, w.confineErr }
func (w *simProcess) OomKills() uint64                 { return w.oom }
func (w *simProcess) StderrTail() string               { return w.stderr }

// resident grows by a MiB with each task.
func (w *simProcess) Resident() int64 {
	w.weighed.Add(1)
	return int64(10*MiB + Bytes(w.board.Word(wire.OffDone).Load())*MiB)
}

func (w *simProcess) Close() {
	w.inUse("close")
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.reaped {
		w.sim.violated("nothing is left", "%v was released before it was reaped", w)
	}
	w.closed = true
	close(w.sigterm) // everything that waits in the worker comes by its death now
	w.freeServing()
	w.board.Word(wire.OffConsumed).Store(1 << 62)
	w.sim.released(w)
}

// inUse notes a use of the process after it was released, which would be a use of memory that is not mapped.
func (w *simProcess) inUse(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		w.sim.violated("nothing is left", "%s on %v, which was released", what, w)
	}
}

// die ends the process. The parent learns of it later, by the end of the socket and by the exit, in either order.
func (w *simProcess) die(how process.Status) { w.end(how, false) }

func (w *simProcess) end(how process.Status, byPool bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return
	}
	w.dead, w.status, w.diedAt, w.byPool = true, how, time.Now(), byPool
	if !w.stopped.IsZero() {
		w.stalls = append(w.stalls, [2]time.Time{w.stopped, w.diedAt})
	}
	w.sim.tell(w, "dies: code %d %v, out of memory %d, unreapable %v", how.Code, how.Signal, w.oom, w.unreapable)
	close(w.gone)
	d := newDice(w.sim.plan.seed, diceDeath, w.PID())
	exit := d.span(time.Microsecond, simNotice)
	if w.unreapable {
		exit = d.span(quarantineWait/2, 3*quarantineWait)
	}
	if !w.held {
		w.toParent.hangUp()
	}
	w.exitAt = time.Now().Add(exit)
	time.AfterFunc(exit, func() { close(w.exited) })
}

// pass is where the goroutines of the worker meet what happens to their process: in a stopped one they wait here, and
// in a dead one they end.
func (w *simProcess) pass() {
	for {
		w.mu.Lock()
		dead, cont := w.dead, w.cont
		if dead && w.closed {
			w.freeServing()
		}
		w.mu.Unlock()
		switch {
		case dead:
			runtime.Goexit()
		case cont == nil:
			return
		}
		select {
		case <-cont:
		case <-w.gone:
		}
	}
}

// freeServing lets go of what a dead worker's loop held, so that who waits for it can come by and end.
func (w *simProcess) freeServing() {
	w.server.LetGo()
}

// simPipe is one direction of a fake socket: bytes arrive in order, each after a delay of its own.
type simPipe struct {
	dice  dice          // of the delays
	limit int           // how many bytes fit
	more  chan struct{} // something to read, or the end
	room  chan struct{} // something was read

	mu     sync.Mutex
	chunks []simChunk
	size   int       // bytes written and not read
	last   time.Time // when the last of them arrives
	end    time.Time // when the reader sees the end; zero: never
}

// simChunk is some bytes on their way.
type simChunk struct {
	at   time.Time
	data []byte
}

// simLatency is the longest that bytes are under way, simNotice that the news of a death are.
const (
	simLatency = 30 * time.Microsecond
	simNotice  = 300 * time.Microsecond
)

func newSimPipe(d dice, limit int) *simPipe {
	return &simPipe{dice: d, limit: limit, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put sends what fits of b. It arrives after a delay, now and then in two pieces.
func (p *simPipe) put(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(b), p.limit-p.size)
	if n <= 0 || !p.end.IsZero() {
		return 0
	}
	first := n
	if p.dice.chance(.1) {
		first = p.dice.from(1, n)
	}
	p.send(b[:first])
	p.send(b[first:n])
	return n
}

// send makes a chunk that arrives later than all before it.
func (p *simPipe) send(b []byte) {
	if len(b) == 0 {
		return
	}
	at := time.Now().Add(p.dice.span(500, simLatency))
	if !at.After(p.last) {
		at = p.last.Add(p.dice.span(1, 100))
	}
	p.last = at
	p.chunks = append(p.chunks, simChunk{at, append([]byte(nil), b...)})
	p.size += len(b)
	poke(p.more)
}

// hangUp lets the reader see the end a little later, and after everything that was sent.
func (p *simPipe) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.end.IsZero() {
		return
	}
	p.end = time.Now().Add(p.dice.span(time.Microsecond, simNotice))
	if p.end.Before(p.last) {
		p.end = p.last
	}
	poke(p.more)
}

// get blocks until something has arrived (its size), the end (io.EOF), stop is closed (process.ErrReadStopped), or
// there is a wake (0).
func (p *simPipe) get(b []byte, stop, wake <-chan struct{}) (int, error) {
	for {
		select {
		case <-stop:
			return 0, process.ErrReadStopped
		default:
		}
		n, next, err := p.poll(b)
		if n > 0 || err != nil {
			return n, err
		}
		var arrival <-chan time.Time
		if !next.IsZero() {
			arrival = time.After(time.Until(next))
		}
		select {
		case <-p.more:
		case <-arrival:
		case <-stop:
		case <-wake:
			return 0, nil
		}
	}
}

// poll reads what has arrived, or tells when there will be more.
func (p *simPipe) poll(b []byte) (n int, next time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if len(p.chunks) > 0 {
		if at := p.chunks[0].at; at.After(now) {
			return 0, at, nil
		}
		return p.pull(b), time.Time{}, nil
	}
	if !p.end.IsZero() && !p.end.After(now) {
		return 0, time.Time{}, io.EOF
	}
	return 0, p.end, nil
}

// drain reads what was sent, whether it has arrived or not.
func (p *simPipe) drain(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.chunks) == 0 {
		return 0
	}
	return p.pull(b)
}

// pull takes bytes from the first chunk.
func (p *simPipe) pull(b []byte) int {
	c := &p.chunks[0]
	n := copy(b, c.data)
	if c.data = c.data[n:]; len(c.data) == 0 {
		p.chunks = p.chunks[1:]
	}
	p.size -= n
	poke(p.room)
	return n
}

// simExec is one execution of a task's handler.
type simExec struct {
	task    *simTask
	w       *simProcess
	id      uint64 // the pool's number of the task
	seq     uint32
	attempt int
	began   time.Time
	done    time.Time // the handler returned; zero: it did not
	sent    time.Time // its whole result was in the socket; zero: it never was
	told    bool      // as sent, but maybe by a worker that had sent what it should not before
}

// run is the life of the worker process.
func (w *simProcess) run() {
	x := w.moment()
	x.wait = w.dice.span(w.sim.plan.boot/2, 2*w.sim.plan.boot)
	w.fault(atBoot, x)
	w.sleep(x.wait)
	w.sim.mu.Lock()
	kills := w.sim.bootKills
	w.sim.mu.Unlock()
	if kills {
		killed(w, x)
	}
	w.pass()
	w.server.Main()
}

// host is what the worker's loop sees of its process.
func (w *simProcess) host() serve.Host {
	return serve.Host{
		Page: w.board, Down: w.down, Up: w.up, Terminated: w.sigterm, SettleIn: func() {},
		Read: func(b []byte) (int, error) {
			n := w.read(w.toWorker, b)
			if w.server.Booted() {
				w.fault(atRead, w.moment())
			}
			return n, nil
		},
		ReadControl: func(b []byte) (int, error) { return w.read(w.orders, b), nil },
		Write:       w.send,
		Die:         func(sig syscall.Signal) { w.die(process.Status{Code: -1, Signal: sig}); w.pass() },
		Exit: func(code int) {
			w.pass()
			w.fault(atExit, w.moment())
			w.die(process.Status{Code: code})
			w.pass()
		},
		Orphaned: func() { panic("a worker saw its parent go, which it never does here") },
		Complain: func(err error) { w.sim.tell(w, "complains: %v", err) },
	}
}

func (w *simProcess) read(from *simPipe, b []byte) int {
	w.pass()
	n, _ := from.get(b, w.gone, nil)
	w.pass()
	return n
}

// send writes whole frames to the parent, unless a fault has it otherwise.
func (w *simProcess) send(b []byte) error {
	w.pass()
	x := w.moment()
	x.frames = bytes.Clone(b)
	var f wire.Frame
	for at := 0; at < len(b); {
		used, err := wire.ParseFrame(b[at:], &f)
		if used == 0 || err != nil {
			panic("the worker wrote half a frame")
		}
		at += used
		x.ends = append(x.ends, at)
	}
	x.honest = len(b)
	w.fault(atWrite, x)
	w.transmit(x.frames, x.honest)
	return nil
}

// transmit puts frames into the socket; of the first so many bytes it is noted what results they hold.
func (w *simProcess) transmit(b []byte, honest int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.swallows {
		return
	}
	w.toParent.put(b)
	var f wire.Frame
	for honest = min(honest, len(b)); honest > 0; {
		used, err := wire.ParseFrame(b[:honest], &f)
		if used == 0 || err != nil {
			break
		}
		b, honest = b[used:], honest-used
		for _, e := range w.execs {
			if f.Kind >= wire.FrameValue && f.Kind <= wire.FrameUnknown && e.seq == f.Seq {
				if e.told = true; w.lied {
					continue // nobody has to believe it any more
				}
				e.sent = time.Now()
				w.sim.tell(w, "sends the result of task %d", e.task.n)
			}
		}
	}
}

// tear writes so many bytes of the frames and dies.
func (w *simProcess) tear(x *simMoment, n int) {
	w.transmit(x.frames[:n], n)
	killed(w, x)
}

// lie notes that what follows the honest part of the frames is not what a worker sends.
func (w *simProcess) lie(x *simMoment) {
	w.transmit(x.frames, x.honest)
	x.frames = nil
	w.mu.Lock()
	w.lied = true
	w.mu.Unlock()
}

// sleep passes virtual time.
func (w *simProcess) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.gone:
	}
	w.pass()
}

// never is long enough to be found out, and ends when the weather has cleared up, in case there is nobody to find out.
func (w *simProcess) never() time.Duration {
	return w.sim.untilHealed() + 300*time.Millisecond + w.dice.span(time.Microsecond, time.Millisecond)
}

// later does something to the process after a while.
func (w *simProcess) later(after time.Duration, do func()) { time.AfterFunc(after, do) }

func (w *simProcess) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dead && w.cont == nil {
		w.cont, w.stopped = make(chan struct{}), time.Now()
		w.sim.tell(w, "is stopped")
	}
}

func (w *simProcess) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cont == nil || w.dead {
		return
	}
	close(w.cont)
	w.stalls = append(w.stalls, [2]time.Time{w.stopped, time.Now()})
	w.cont, w.stopped = nil, time.Time{}
	w.sim.tell(w, "is continued")
	if w.pending {
		w.pending = false
		w.sigterm <- syscall.SIGTERM
	}
}

// heal ends what is wrong with the process and can be mended.
func (w *simProcess) heal() {
	w.mu.Lock()
	w.unreapable = w.unreapable && w.dead
	w.mu.Unlock()
	w.resume()
}

// terminate is SIGTERM from outside.
func (w *simProcess) terminate() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead || w.termed {
		return
	}
	w.termed = true
	w.sim.tell(w, "gets SIGTERM")
	if w.pending = w.cont != nil; !w.pending {
		w.sigterm <- syscall.SIGTERM
	}
}

// runOutOfMemory is the kernel's OOM killer where the worker has a limit, and the runtime's own end where it has none.
func (w *simProcess) runOutOfMemory() {
	w.mu.Lock()
	how := process.Status{Code: -1, Signal: syscall.SIGKILL}
	if w.dead {
		w.mu.Unlock()
		return
	}
	if w.sim.plan.cfg.HardMemory > 0 {
		w.oom = 1
	} else {
		w.stderr, how = "fatal error: runtime: out of memory\n", process.Status{Code: 2}
	}
	w.mu.Unlock()
	w.die(how)
}

// hangUpOnParent closes the worker's end of the socket for writing.
func (w *simProcess) hangUpOnParent() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return
	}
	w.lied = true
	w.sim.tell(w, "closes its socket")
	w.toParent.hangUp()
}

// The arguments of simulated tasks: the simulation's number, the task's, and padding. Results are their complement.
const simArgSize = 16

func (t *simTask) argument(sim uint64) []byte {
	b := make([]byte, t.size)
	binary.LittleEndian.PutUint64(b, sim)
	binary.LittleEndian.PutUint64(b[8:], uint64(t.n))
	for i := simArgSize; i < len(b); i += 512 {
		b[i] = byte(t.n + i)
	}
	return b
}

func complement(b []byte) []byte {
	out := make([]byte, len(b))
	for i := range b {
		out[i] = ^b[i]
	}
	return out
}

var (
	simulations sync.Map // by number
	simWork     = Register("simulated", func(ctx context.Context, arg []byte) ([]byte, error) {
		s, ok := simulations.Load(binary.LittleEndian.Uint64(arg))
		if !ok {
			return nil, errors.New("no such simulation")
		}
		return s.(*simulation).handle(ctx.(*serve.Context), arg)
	})
	simInit = RegisterInit("simulated", func(_ context.Context, n uint64) error {
		s, ok := simulations.Load(n)
		if !ok {
			return errors.New("no such simulation")
		}
		return s.(*simulation).initialize()
	})
	errSimTask = errors.New("the handler fails")
	errSimInit = errors.New("the initializer is broken")
)

// handle is the handler of every simulated task.
func (s *simulation) handle(ctx *serve.Context, arg []byte) ([]byte, error) {
	t, w := s.taskOf(arg), s.workerOf(ctx)
	e := w.begin(t, ctx)
	w.pass()
	x := w.moment()
	x.wait = t.work
	if t.crime != nil {
		t.crime(w, e)
	}
	if t.poison != nil {
		midway(*t.poison)(w, x)
	} else {
		w.fault(atExec, x)
	}
	var cancelled <-chan struct{}
	if t.obedient {
		cancelled = ctx.Done()
	}
	var err error
	select {
	case <-time.After(x.wait):
	case <-cancelled:
		err = ctx.Err()
	case <-w.gone:
	}
	w.pass()
	if t.poison != nil && err == nil {
		w.sleep(time.Millisecond) // its death is due
	}
	if t.fail == wire.FrameError && err == nil {
		err = errSimTask
	}
	w.mu.Lock()
	e.done = time.Now()
	w.mu.Unlock()
	if t.fail == wire.FramePanic && err == nil {
		panic(fmt.Sprint("task ", t.n))
	}
	return complement(arg), err
}

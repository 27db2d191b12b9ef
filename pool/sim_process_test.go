package pool

import (
	"errors"
	"fmt"
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

// simProcess is a fake worker process: the parent's side of it is here, the worker's, which runs the real protocol loop,
// in sim_worker_test.go.
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
		sim: s, slot: slot, nth: nth, dice: stream(diceFault), born: time.Now(), board: wire.Page{Mem: make([]byte, wire.PageSize)},
		toParent: newSimPipe(stream(diceToParent), 1<<30), orders: newSimPipe(stream(diceControl), 4<<10),
		sigterm: make(chan os.Signal, 1), gone: make(chan struct{}), exited: make(chan struct{}),
		stop: make(chan struct{}), wake: make(chan struct{}, 1), hung: make(chan struct{}),
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

// pass is where the goroutines of the worker meet what happens to their process: in a stopped one they wait here, and in
// a dead one they end.
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

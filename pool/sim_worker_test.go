package pool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

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

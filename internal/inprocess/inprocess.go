// Package inprocess makes workers that are goroutines of this process, behind the interface by which a pool knows
// processes.
package inprocess

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// Workers is the workers of a pool that are goroutines. The zero value has none. Safe for concurrent use.
type Workers struct {
	mu   sync.Mutex
	last int // number given
	live map[int]*worker

	// Foreign plays a worker of another language, in a goroutine of its own, where a pool has a Command. Nil: such a
	// pool is refused.
	Foreign func(*Foreign)
}

// pidMax is the largest number that a process can have (proc(5), pid_max).
const pidMax = 1 << 22

// Kill ends the worker with that PID as a signal from outside would: SIGTERM asks it to finish its task and go, any
// other signal ends it. The context of the handler that it runs is cancelled, and what that handler returns is not seen
// by anybody. The error says that there is no such worker.
func (all *Workers) Kill(pid int, sig syscall.Signal) error {
	all.mu.Lock()
	w := all.live[pid]
	all.mu.Unlock()
	if w == nil {
		return fmt.Errorf("no worker of this pool has pid %d now", pid)
	}
	return w.Signal(sig)
}

// Start starts one: what a pool calls in place of process.Start.
func (all *Workers) Start(spec process.Spec) (process.Process, error) {
	if spec.Command != nil && all.Foreign == nil {
		return nil, fmt.Errorf("a pool in process cannot start Config.Command %q", spec.Command)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.last++
	w := &worker{
		all: all, number: pidMax + all.last, board: wire.Page{Mem: make([]byte, wire.PageSize)},
		tasks: newPipe(), results: newPipe(), orders: newPipe(),
		sigterm: make(chan os.Signal, 1), exited: make(chan struct{}),
	}
	w.server = serve.New(w.host())
	if all.live == nil {
		all.live = make(map[int]*worker)
	}
	all.live[w.number] = w
	if spec.Command != nil {
		f := &Foreign{w, process.NewMemoryTickets()}
		go all.Foreign(f)
		return f, nil
	}
	go w.server.Main()
	return w, nil
}

// worker is a process that is none. Its end closes its pipes, by which its goroutines come to theirs.
type worker struct {
	all     *Workers
	number  int
	board   wire.Page
	server  *serve.Server
	tasks   *pipe
	results *pipe
	orders  *pipe
	sigterm chan os.Signal
	exited  chan struct{}
	ending  sync.Once
	dead    atomic.Bool
	status  process.Status
}

// host is what the protocol loop sees of it.
func (w *worker) host() serve.Host {
	return serve.Host{
		Page: w.board, SettleIn: func() {}, Terminated: w.sigterm,
		Read:        func(b []byte) (int, error) { return w.tasks.read(b), nil },
		ReadControl: func(b []byte) (int, error) { return w.orders.read(b), nil },
		Write: func(b []byte) error {
			if w.dead.Load() {
				runtime.Goexit()
			}
			w.results.write(b)
			return nil
		},
		Die:      func(sig syscall.Signal) { w.end(process.Status{Code: -1, Signal: sig}); runtime.Goexit() },
		Exit:     func(code int) { w.end(process.Status{Code: code}); runtime.Goexit() },
		Orphaned: runtime.Goexit,
		Complain: func(error) {},
	}
}

// end is the worker's death, however it comes.
func (w *worker) end(how process.Status) {
	w.ending.Do(func() {
		w.dead.Store(true)
		w.server.Cut()
		w.status = how
		w.tasks.close()
		w.orders.close()
		w.results.close()
		w.server.Cancel()
		w.all.mu.Lock()
		delete(w.all.live, w.number)
		w.all.mu.Unlock()
		close(w.exited)
	})
}

func (w *worker) PID() int                         { return w.number }
func (w *worker) Record() process.Record           { return w.board }
func (w *worker) Arenas() (_, _ []byte)            { return nil, nil }
func (w *worker) StopReading()                     { w.results.stop() }
func (w *worker) Drain(b []byte) int               { return w.results.poll(b) }
func (w *worker) HangUp()                          {}
func (w *worker) Confine(int64, bool) (_, _ error) { return nil, nil }
func (w *worker) OomKills() uint64                 { return 0 }
func (w *worker) Cgroup() string                   { return "" }
func (w *worker) Resident() int64                  { return 0 }
func (w *worker) StderrTail() string               { return "" }
func (w *worker) GiveBack([]byte)                  {}
func (w *worker) Keep() func()                     { return func() {} }
func (w *worker) Kill()                            { _ = w.Signal(syscall.SIGKILL) }
func (w *worker) Halted() bool                     { return false }

func (w *worker) Receive(space func() []byte, got func(n int) bool) error {
	return w.results.receive(space, got)
}

func (w *worker) TryWrite(b []byte) (int, error) {
	if w.dead.Load() {
		return 0, syscall.EPIPE
	}
	w.tasks.write(b)
	return len(b), nil
}

func (w *worker) Write(b []byte) error {
	_, err := w.TryWrite(b)
	return err
}

func (w *worker) Control(m wire.Control) {
	b := m.Encode()
	w.orders.write(b[:])
}

func (w *worker) Signal(sig syscall.Signal) error {
	if sig != syscall.SIGTERM {
		w.end(process.Status{Code: -1, Signal: sig})
		return nil
	}
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	if w.all.live[w.number] != w {
		return nil // it has ended, and close may have been called
	}
	select {
	case w.sigterm <- sig:
	default: // it was told already
	}
	return nil
}

func (w *worker) AwaitDeath() { <-w.exited }

func (w *worker) Wait() process.Status {
	<-w.exited
	return w.status
}

// close lets go of the goroutine that waits for SIGTERM and, if the loop ended in the middle of a batch, of the one
// that waits for that.
func (w *worker) Close() {
	close(w.sigterm)
	w.server.LetGo()
}

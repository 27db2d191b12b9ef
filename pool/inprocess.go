package pool

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

// InProcess changes a config so that New makes workers that are goroutines of this process: for tests of code that uses a
// pool, which then need neither Main nor a second process, run on every operating system, and may share variables with
// their handlers. Everything else is the real pool: the same queue, protocol, codec, budgets, restarts and events.
// Package pooltest wraps it.
//
// What cannot be had that way: isolation (a handler that calls os.Exit ends the test), memory limits, output of one worker,
// and arguments or results over 4 MiB. PIDs are numbers that no process can have.
func InProcess(cfg Config) (Config, *Crew) {
	crew := &Crew{members: make(map[int]*goroutineWorker)}
	cfg.start = crew.start
	if cfg.MaxPayload <= 0 || cfg.MaxPayload > inProcessPayload {
		cfg.MaxPayload = inProcessPayload
	}
	return cfg, crew
}

// Crew is the workers of a pool that was made with InProcess. Safe for concurrent use.
type Crew struct {
	mu      sync.Mutex
	last    int
	members map[int]*goroutineWorker
}

// inProcessPayload leaves room in a frame for an idempotency key.
const inProcessPayload = Bytes(wire.MaxFrame - 64<<10)

// pidMax is the largest number that a process can have (proc(5), pid_max).
const pidMax = 1 << 22

// Kill ends the worker with that PID as a signal from outside would: SIGTERM asks it to finish its task and go, any other
// signal ends it. The context of the handler that it runs is cancelled, and what that handler returns is not seen by
// anybody. The error says that there is no such worker.
func (c *Crew) Kill(pid int, sig syscall.Signal) error {
	c.mu.Lock()
	w := c.members[pid]
	c.mu.Unlock()
	if w == nil {
		return fmt.Errorf("no worker of this pool has pid %d now", pid)
	}
	return w.Signal(sig)
}

func (c *Crew) start(spec process.Spec) (process.Process, error) {
	if spec.Command != nil {
		return nil, fmt.Errorf("a pool in process cannot start Config.Command %q", spec.Command)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	w := &goroutineWorker{
		crew: c, number: pidMax + c.last, board: wire.Page{Mem: make([]byte, wire.PageSize)},
		tasks: newMemoryPipe(), results: newMemoryPipe(), orders: newMemoryPipe(),
		sigterm: make(chan os.Signal, 1), exited: make(chan struct{}),
	}
	w.server = serve.New(w.host())
	c.members[w.number] = w
	go w.server.Main()
	return w, nil
}

// goroutineWorker is a process that is none. Its end closes its pipes, by which its goroutines come to theirs.
type goroutineWorker struct {
	crew    *Crew
	number  int
	board   wire.Page
	server  *serve.Server
	tasks   *memoryPipe
	results *memoryPipe
	orders  *memoryPipe
	sigterm chan os.Signal
	exited  chan struct{}
	ending  sync.Once
	dead    atomic.Bool
	status  process.Status
}

// host is what the protocol loop sees of it.
func (w *goroutineWorker) host() serve.Host {
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
func (w *goroutineWorker) end(how process.Status) {
	w.ending.Do(func() {
		w.dead.Store(true)
		w.server.Cut()
		w.status = how
		w.tasks.close()
		w.orders.close()
		w.results.close()
		w.server.Cancel()
		w.crew.mu.Lock()
		delete(w.crew.members, w.number)
		w.crew.mu.Unlock()
		close(w.exited)
	})
}

func (w *goroutineWorker) PID() int                         { return w.number }
func (w *goroutineWorker) Record() process.Record           { return w.board }
func (w *goroutineWorker) Arenas() (_, _ []byte)            { return nil, nil }
func (w *goroutineWorker) Keep() func()                     { return func() {} }
func (w *goroutineWorker) StopReading()                     { w.results.stop() }
func (w *goroutineWorker) Drain(b []byte) int               { return w.results.poll(b) }
func (w *goroutineWorker) HangUp()                          {}
func (w *goroutineWorker) Confine(int64, bool) (_, _ error) { return nil, nil }
func (w *goroutineWorker) OomKills() uint64                 { return 0 }
func (w *goroutineWorker) Cgroup() string                   { return "" }
func (w *goroutineWorker) Resident() int64                  { return 0 }
func (w *goroutineWorker) StderrTail() string               { return "" }
func (w *goroutineWorker) Kill()                            { _ = w.Signal(syscall.SIGKILL) }
func (w *goroutineWorker) Halted() bool                     { return false }

func (w *goroutineWorker) Receive(space func() []byte, got func(n int) bool) error {
	return w.results.receive(space, got)
}

func (w *goroutineWorker) TryWrite(b []byte) (int, error) {
	if w.dead.Load() {
		return 0, syscall.EPIPE
	}
	w.tasks.write(b)
	return len(b), nil
}

func (w *goroutineWorker) Write(b []byte) error {
	_, err := w.TryWrite(b)
	return err
}

func (w *goroutineWorker) Control(m wire.Control) {
	b := m.Encode()
	w.orders.write(b[:])
}

func (w *goroutineWorker) Signal(sig syscall.Signal) error {
	if sig != syscall.SIGTERM {
		w.end(process.Status{Code: -1, Signal: sig})
		return nil
	}
	w.crew.mu.Lock()
	defer w.crew.mu.Unlock()
	if w.crew.members[w.number] != w {
		return nil // it has ended, and close may have been called
	}
	select {
	case w.sigterm <- sig:
	default: // it was told already
	}
	return nil
}

func (w *goroutineWorker) AwaitDeath() { <-w.exited }

func (w *goroutineWorker) Wait() process.Status {
	<-w.exited
	return w.status
}

// close lets go of the goroutine that waits for SIGTERM and, if the loop ended in the middle of a batch, of the one that
// waits for that.
func (w *goroutineWorker) Close() {
	close(w.sigterm)
	w.server.LetGo()
}

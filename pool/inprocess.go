package pool

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

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
	return w.signal(sig)
}

func (c *Crew) start(spec spawnSpec) (process, error) {
	if spec.command != nil {
		return nil, fmt.Errorf("a pool in process cannot start Config.Command %q", spec.command)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	w := &goroutineWorker{
		crew: c, number: pidMax + c.last, board: wire.Page{Mem: make([]byte, wire.PageSize)},
		tasks: newMemoryPipe(), results: newMemoryPipe(), orders: newMemoryPipe(),
		sigterm: make(chan os.Signal, 1), exited: make(chan struct{}),
	}
	w.server = newServer(w.host())
	c.members[w.number] = w
	go w.server.main()
	return w, nil
}

// goroutineWorker is a process that is none. Its end closes its pipes, by which its goroutines come to theirs.
type goroutineWorker struct {
	crew    *Crew
	number  int
	board   wire.Page
	server  *server
	tasks   *memoryPipe
	results *memoryPipe
	orders  *memoryPipe
	sigterm chan os.Signal
	exited  chan struct{}
	ending  sync.Once
	dead    atomic.Bool
	status  waitStatus
}

// host is what the protocol loop sees of it.
func (w *goroutineWorker) host() host {
	return host{
		page: w.board, settleIn: func() {}, terminated: w.sigterm,
		read:        func(b []byte) (int, error) { return w.tasks.read(b), nil },
		readControl: func(b []byte) (int, error) { return w.orders.read(b), nil },
		write: func(b []byte) error {
			if w.dead.Load() {
				runtime.Goexit()
			}
			w.results.write(b)
			return nil
		},
		die:      func(sig syscall.Signal) { w.end(waitStatus{code: -1, signal: sig}); runtime.Goexit() },
		exit:     func(code int) { w.end(waitStatus{code: code}); runtime.Goexit() },
		orphaned: runtime.Goexit,
		complain: func(error) {},
	}
}

// end is the worker's death, however it comes.
func (w *goroutineWorker) end(how waitStatus) {
	w.ending.Do(func() {
		w.dead.Store(true)
		w.server.stopping.Store(true)
		w.board.Word(wire.OffCrash).Store(uint64(wire.CrashAfterRead)) // a task that it claims from now on is not run
		w.status = how
		w.tasks.close()
		w.orders.close()
		w.results.close()
		if tc := w.server.current.Load(); tc != nil {
			tc.cancel()
		}
		w.crew.mu.Lock()
		delete(w.crew.members, w.number)
		w.crew.mu.Unlock()
		close(w.exited)
	})
}

func (w *goroutineWorker) pid() int                         { return w.number }
func (w *goroutineWorker) record() record                   { return w.board }
func (w *goroutineWorker) arenas() (_, _ []byte)            { return nil, nil }
func (w *goroutineWorker) stopReading()                     { w.results.stop() }
func (w *goroutineWorker) drain(b []byte) int               { return w.results.poll(b) }
func (w *goroutineWorker) hangUp()                          {}
func (w *goroutineWorker) confine(Bytes, bool) (_, _ error) { return nil, nil }
func (w *goroutineWorker) oomKills() uint64                 { return 0 }
func (w *goroutineWorker) cgroup() string                   { return "" }
func (w *goroutineWorker) resident() Bytes                  { return 0 }
func (w *goroutineWorker) stderrTail() string               { return "" }
func (w *goroutineWorker) kill()                            { _ = w.signal(syscall.SIGKILL) }
func (w *goroutineWorker) halted() bool                     { return false }

func (w *goroutineWorker) receive(space func() []byte, got func(n int) bool) error {
	return w.results.receive(space, got)
}

func (w *goroutineWorker) tryWrite(b []byte) (int, error) {
	if w.dead.Load() {
		return 0, syscall.EPIPE
	}
	w.tasks.write(b)
	return len(b), nil
}

func (w *goroutineWorker) write(b []byte) error {
	_, err := w.tryWrite(b)
	return err
}

func (w *goroutineWorker) control(m wire.Control) {
	b := m.Encode()
	w.orders.write(b[:])
}

func (w *goroutineWorker) signal(sig syscall.Signal) error {
	if sig != syscall.SIGTERM {
		w.end(waitStatus{code: -1, signal: sig})
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

func (w *goroutineWorker) awaitDeath() { <-w.exited }

func (w *goroutineWorker) wait() waitStatus {
	<-w.exited
	return w.status
}

// close lets go of the goroutine that waits for SIGTERM and, if the loop ended in the middle of a batch, of the one that
// waits for that.
func (w *goroutineWorker) close() {
	close(w.sigterm)
	select {
	case <-w.server.serving:
	default:
	}
}

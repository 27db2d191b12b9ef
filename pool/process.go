package pool

import (
	"errors"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// process is one worker process as the pool sees it: the seam between supervision and the operating system. The real
// one is in process_linux.go; the simulation has a fake. Methods are safe for concurrent use except where said.
type process interface {
	pid() int
	// record is of the tasks sent to it, and arenas the memory for large payloads (nil without). All are valid until close.
	record() record
	arenas() (down, up []byte)

	// receive reads the task socket into what space returns and tells got how many bytes came, until got returns
	// false (nil), the socket ends (io.EOF), or stopReading was called, before or meanwhile (errReadStopped). One
	// goroutine reads at a time. See also interrupter.
	receive(space func() []byte, got func(n int) bool) error
	stopReading()
	// drain reads without blocking; 0 means that nothing is left. Called by the reading goroutine after receive has returned.
	drain(b []byte) int
	// tryWrite writes what fits without blocking. write blocks until everything is written, or the process is closed
	// or hungUp. One goroutine writes.
	tryWrite(b []byte) (int, error)
	write(b []byte) error
	hangUp()
	// control sends a message beside the tasks; it is dropped when the worker does not read any more.
	control(m wire.Control)

	// signal goes to the process alone, kill (SIGKILL) to everything it started too.
	signal(sig syscall.Signal) error
	kill()
	// awaitDeath blocks until the process is dead and can be reaped, which a tracer may put off. wait does too, then kills
	// what is left of its group, reaps it, and waits a while for its output to be taken. Each is called once.
	awaitDeath()
	wait() waitStatus

	// confine applies the hard memory limit, and says why not by a cgroup if that was asked for; oomKills counts the kernel's OOM kills since. Called once ready.
	confine(limit Bytes, cgroups bool) (noCgroup, err error)
	oomKills() uint64
	cgroup() string
	resident() Bytes
	halted() bool // stopped by a signal, though not by a debugger
	stderrTail() string
	// close releases every resource. Called once, after wait has returned and nothing uses the process any more.
	close()
}

// spawnSpec is what a process is started with.
type spawnSpec struct {
	worker string
	slot   int // -1: for the spare bench
	launch
	maxPayload Bytes
	stdout     func([]byte)
	stderr     func([]byte)
	unsealed   bool // the mutant: shared memory that a worker can truncate
}

// startFunc starts a worker process.
type startFunc func(spawnSpec) (process, error)

// waitStatus is how a process ended, as the kernel tells.
type waitStatus struct {
	code         int // -1: signalled; unknownCode: reaped by someone else
	signal       syscall.Signal
	stopped      syscall.Signal // what had stopped it when it was killed
	user, system time.Duration
	maxRSS       Bytes
}

// errReadStopped is what receive returns after stopReading.
var errReadStopped = errors.New("reading was stopped")

// The descriptors that a worker inherits.
const (
	fdTasks   = 3
	fdControl = 4
	fdPage    = 5
	fdDown    = 6
	fdUp      = 7
	fdHost    = 8 // a pidfd
)

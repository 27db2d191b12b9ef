// Package process is one worker process as a pool sees it: the seam between supervision and the operating system. It
// starts the process with what it inherits, reads and writes its sockets, ends and reaps it, and keeps the record of
// what it has taken.
package process

import (
	"errors"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// Process is one worker process as the pool sees it: the seam between supervision and the operating system. The real
// one is in os_linux.go; the simulation has a fake. Methods are safe for concurrent use except where said.
type Process interface {
	PID() int
	// Record is of the tasks sent to it, and arenas the memory for large payloads (nil without). All are valid until
	// close.
	Record() Record
	Arenas() (down, up []byte)

	// Receive reads the task socket into what space returns and tells got how many bytes came, until got returns
	// false (nil), the socket ends (io.EOF), or stopReading was called, before or meanwhile (ErrReadStopped). It may
	// return nil for no reason. The socket of a process that lives may end unnoticed right behind some bytes, until one
	// writes to it. One goroutine reads at a time. See also interrupter.
	Receive(space func() []byte, got func(n int) bool) error
	StopReading()
	// Drain reads without blocking; 0 means that nothing is left. Called by the reading goroutine after receive has
	// returned.
	Drain(b []byte) int
	// TryWrite writes what fits without blocking. write blocks until everything is written, or the process is closed
	// or hungUp. One goroutine writes.
	TryWrite(b []byte) (int, error)
	Write(b []byte) error
	HangUp()
	// Control sends a message beside the tasks; it is dropped when the worker does not read any more.
	Control(m wire.Control)

	// Signal goes to the process alone, kill (SIGKILL) to everything it started too.
	Signal(sig syscall.Signal) error
	Kill()
	// AwaitDeath blocks until the process is dead and can be reaped, which a tracer may put off. wait does too, then
	// kills what is left of its group, reaps it, and waits a while for its output to be taken. Each is called once.
	AwaitDeath()
	Wait() Status

	// Confine applies the hard memory limit, if the process was not born with it, and says why not by a cgroup if that
	// was asked for; oomKills counts the kernel's OOM kills since. Called once ready.
	Confine(limit int64, cgroups bool) (noCgroup, err error)
	OomKills() uint64
	Cgroup() string
	Resident() int64
	Halted() bool // stopped by a signal, though not by a debugger
	StderrTail() string
	// Close releases every resource. Called once, after wait has returned and nothing uses the process any more.
	Close()
	// GiveBack gives memory of the up arena, whole pages that nobody uses, back to the kernel: it is zero then.
	GiveBack(memory []byte)
	// Keep keeps the arenas beyond close, until what it returns is called, once.
	Keep() (letGo func())
}

// Spec is what a process is started with.
type Spec struct {
	Worker string
	Slot   int // -1: for the spare bench
	Launch
	MaxPayload int64
	// Memory is the limit of the cgroup that the process is born in, where one can be had; 0: none, until Confine.
	Memory   int64
	Stdout   func([]byte)
	Stderr   func([]byte)
	Unsealed bool // the mutant: shared memory that a worker can truncate
}

// StartFunc starts a worker process.
type StartFunc func(Spec) (Process, error)

// Status is how a process ended, as the kernel tells.
type Status struct {
	Code         int // -1: signalled; pidfd.Unknown: reaped by someone else
	Signal       syscall.Signal
	Stopped      syscall.Signal // what had stopped it when it was killed
	User, System time.Duration
	MaxRSS       int64
}

// ErrReadStopped is what receive returns after stopReading.
var ErrReadStopped = errors.New("reading was stopped")

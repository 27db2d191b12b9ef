package pool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/reexec"
)

// Sentinel errors: states of a pool or of the program. Match them with errors.Is.
var (
	// ErrClosed settles what a closed or terminated pool did not run, and is returned by every use after that; Drain and Close
	// return it when Terminate ended tasks that they waited for.
	ErrClosed = errors.New("pool: closed")
	// ErrQueueFull is returned by Submit and Call when Config.QueueLimit tasks wait and Config.QueueBlock is off.
	ErrQueueFull = errors.New("pool: queue full")
	// ErrCrashLoop says that workers cannot be started, or die as soon as they are; it always comes wrapped in a
	// *CrashLoopError, which has the cause.
	ErrCrashLoop = errors.New("pool: workers do not come up")
	// ErrInWorker is returned by New in a worker process: a pool there would start a fork bomb.
	ErrInWorker = errors.New("pool: New called in a worker process: make pools only in the parent")
	// ErrMainNotCalled is returned by New when Main has not run: workers re-execute this program and would not serve.
	ErrMainNotCalled = reexec.ErrMainNotCalled
	// ErrUnsupported is returned by New on operating systems the pool is not proved on.
	ErrUnsupported = errors.New("pool: not supported on this operating system")
	// ErrUnknownTask settles a task whose name the worker does not know: it was registered after Main ran, or a worker of another
	// language has no handler of that name.
	ErrUnknownTask = errors.New("pool: task not registered")
	// ErrOtherWorkers is returned for a task that is declared for workers of another kind than the pool's: see [External].
	ErrOtherWorkers = errors.New("pool: the task is for other workers")
	// ErrPayloadTooLarge is returned for an encoded argument or result over Config.MaxPayload.
	ErrPayloadTooLarge = errors.New("pool: payload too large")
	// ErrNoSuchSlot is returned by Submit with OnSlot for a slot the pool does not have.
	ErrNoSuchSlot = errors.New("pool: no such slot")
)

// WorkerLostError settles a task whose workers died: its death budget is spent, or it was at-most-once and had
// started. Exits has one record for each death the task was blamed for, oldest first, and is never empty.
type WorkerLostError struct {
	Task     string // the task's registered name
	Attempts int    // how often it was sent to a worker
	Exits    []Exit
}

func (e *WorkerLostError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool: task %q lost its worker after %s:", e.Task, attempts(e.Attempts))
	for i, x := range e.Exits {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " %s", x)
	}
	return b.String()
}

func attempts(n int) string {
	if n == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", n)
}

// TimeoutError settles a task that ran longer than its timeout; its worker was killed. It is not
// context.DeadlineExceeded, which says that a caller's own context has ended.
type TimeoutError struct {
	Task    string
	Timeout time.Duration
	Exit    Exit // how the worker ended
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("pool: task %q exceeded its timeout of %v and its worker was killed", e.Task, e.Timeout)
}

// PanicError settles a task whose handler panicked, or called runtime.Goexit as t.FailNow does. The worker survives: the
// panic is recovered there.
type PanicError struct {
	Task  string
	Value string // the panic value, printed with %v
	At    string // where it panicked: file:line; empty for runtime.Goexit
	Stack string // the worker's stack at the panic; empty for runtime.Goexit
}

func (e *PanicError) Error() string {
	at := ""
	if e.At != "" {
		at = " at " + e.At
	}
	return fmt.Sprintf("pool: task %q panicked%s: %s", e.Task, at, e.Value)
}

// CrashLoopError says why workers do not come up. It matches ErrCrashLoop; Unwrap also gives the cause.
type CrashLoopError struct {
	Failures int   // failures in a row when the breaker opened
	Cause    error // the last failure
}

func (e *CrashLoopError) Error() string {
	return fmt.Sprintf("%v after %d failures; the last: %v", ErrCrashLoop, e.Failures, e.Cause)
}

// Unwrap gives ErrCrashLoop and the cause.
func (e *CrashLoopError) Unwrap() []error { return []error{ErrCrashLoop, e.Cause} }

// BootError says how one worker failed to become ready.
type BootError struct {
	Worker string
	Reason string // in words: "could not be started", "exited before it was ready", "initializer failed", …
	Exit   Exit   // zero when no process was started
	Err    error  // the error of the start or of the initializer, or what it sent that no worker should, if there is one

	command bool // it is a Config.Command's
}

func (e *BootError) Error() string {
	s := fmt.Sprintf("%s %s", e.Worker, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Exit.PID != 0 {
		s += " (" + e.Exit.String() + ")"
	}
	if tail := strings.TrimSpace(e.Exit.Stderr); e.command && tail != "" {
		s += "\n" + tail
	}
	return s
}

// Unwrap gives the error of the start or of the initializer.
func (e *BootError) Unwrap() error { return e.Err }

// EncodeError settles a task whose argument or result could not be encoded or decoded.
type EncodeError struct {
	Task string
	What string // "encode argument", "decode argument", "encode result", "decode result"; "decode failure": of an error or panic
	Err  error
}

func (e *EncodeError) Error() string {
	return fmt.Sprintf("pool: task %q: %s: %v", e.Task, e.What, e.Err)
}

// Unwrap gives the codec's error.
func (e *EncodeError) Unwrap() error { return e.Err }

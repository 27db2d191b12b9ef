package pool

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// Sentinel errors: states of a pool or of the program. Match them with errors.Is.
var (
	// ErrClosed settles what a closed or terminated pool did not run, and is returned by every use after that; Drain
	// and Close return it when Terminate ended tasks that they waited for.
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
	// ErrUnknownTask settles a task whose name the worker does not know: it was registered after Main ran, or a worker
	// of another language has no handler of that name.
	ErrUnknownTask = errors.New("pool: task not registered")
	// ErrOtherWorkers is returned for a task that is declared for workers of another kind than the pool's: see
	// [External].
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

// PanicError settles a task whose handler panicked, or called runtime.Goexit as t.FailNow does. The worker survives:
// the panic is recovered there.
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
	// the error of the start or of the initializer, or what it sent that no worker should, if there is one
	Err error

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
	// "encode argument", "decode argument", "encode result", "decode result"; "decode failure": of an error or panic
	What string
	Err  error
}

func (e *EncodeError) Error() string {
	return fmt.Sprintf("pool: task %q: %s: %v", e.Task, e.What, e.Err)
}

// Unwrap gives the codec's error.
func (e *EncodeError) Unwrap() error { return e.Err }

// HandlerError is an error that a handler returned, as it arrives in the parent. It unwraps to the registered errors
// that the original's tree contained, so that errors.As and errors.Is find them across the process border.
type HandlerError struct {
	Task    string
	Message string // the original's Error()
	// the original's Go type, such as "*fs.PathError", or in another language its name there, such as "ValueError"
	Type    string
	Trace   string // the traceback, of an error of another language
	wrapped []error
}

func (e *HandlerError) Error() string { return e.Message }

// Unwrap gives the registered errors found in the original's tree, outermost first.
func (e *HandlerError) Unwrap() []error { return e.wrapped }

// RegisterError names an error type so that values of it cross the process border (encoded by CBOR) and errors.As finds
// them in the parent. It panics on a name that is taken, and on a type that cannot travel whole (see Register), such as
// *fs.PathError for the error in it: register a type of your own that holds its text. Like everything that is
// registered it belongs where both sides come by, and returns something so that it can stand in a package-level
// variable:
//
//	var _ = pool.RegisterError[*QuotaError]("quota")
func RegisterError[E error](name string) struct{} {
	codec.MustTravel("error", name, "type", reflect.TypeFor[E]())
	unseen := codec.Light(reflect.TypeFor[E]())
	match := func(err error) ([]byte, bool) {
		e, ok := err.(E) //nolint:errorlint // each node of the tree is looked at by itself
		if !ok {
			return nil, false
		}
		data, encErr := CBOR.Append(nil, &e)
		return data, encErr == nil
	}
	restore := func(data []byte) (err error, ok bool) {
		defer func() {
			if recover() != nil { // a decoder of the user's own, on bytes from a worker
				err, ok = nil, false
			}
		}()
		if len(data) > unseen && codec.TooHeavy(data, reflect.TypeFor[E]()) != nil {
			return nil, false
		}
		var e E
		if err := CBOR.Decode(data, &e); err != nil ||
			reflect.ValueOf(&e).Elem().IsZero() && reflect.TypeFor[E]().Kind() == reflect.Pointer {
			return nil, false
		}
		return e, true
	}
	serve.Know(name, match, restore)
	return struct{}{}
}

var _ = serve.KnowSentinels(map[string]error{
	"pool.ErrClosed": ErrClosed, "pool.ErrQueueFull": ErrQueueFull, "pool.ErrCrashLoop": ErrCrashLoop,
	"pool.ErrInWorker": ErrInWorker, "pool.ErrMainNotCalled": ErrMainNotCalled, "pool.ErrUnsupported": ErrUnsupported,
	"pool.ErrUnknownTask": ErrUnknownTask, "pool.ErrPayloadTooLarge": ErrPayloadTooLarge,
	"pool.ErrNoSuchSlot":   ErrNoSuchSlot,
	"pool.ErrOtherWorkers": ErrOtherWorkers,
})

// RegisterSentinel names an error value so that errors.Is finds it in the parent. context.Canceled,
// context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, fs.ErrNotExist, fs.ErrExist, fs.ErrPermission and
// this package's own are registered already. It panics on a name that is taken. It returns the sentinel:
//
//	var ErrQuota = pool.RegisterSentinel("quota", errors.New("quota exceeded"))
func RegisterSentinel(name string, sentinel error) error {
	serve.Know(name,
		func(err error) ([]byte, bool) { return nil, err == sentinel }, //nolint:errorlint // as above
		func([]byte) (error, bool) { return sentinel, true })
	return sentinel
}

// unpackError restores what serve.Pack described; names this program does not know are left out.
func unpackError(task string, w wire.Error) *HandlerError {
	e := &HandlerError{Task: task, Message: w.Message, Type: w.Type}
	for _, known := range w.Known {
		if err, ok := serve.Restore(known); ok {
			e.wrapped = append(e.wrapped, err)
		}
	}
	return e
}

package pool

import (
	"reflect"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// HandlerError is an error that a handler returned, as it arrives in the parent. It unwraps to the registered errors
// that the original's tree contained, so that errors.As and errors.Is find them across the process border.
type HandlerError struct {
	Task    string
	Message string // the original's Error()
	Type    string // the original's Go type, such as "*fs.PathError", or in another language its name there, such as "ValueError"
	Trace   string // the traceback, of an error of another language
	wrapped []error
}

func (e *HandlerError) Error() string { return e.Message }

// Unwrap gives the registered errors found in the original's tree, outermost first.
func (e *HandlerError) Unwrap() []error { return e.wrapped }

// RegisterError names an error type so that values of it cross the process border (encoded by CBOR) and errors.As finds them in
// the parent. It panics on a name that is taken, and on a type that cannot travel whole (see Register), such as *fs.PathError for
// the error in it: register a type of your own that holds its text. Like everything that is
// registered it belongs where both sides come by, and returns something so that it can stand in a package-level variable:
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
		if err := CBOR.Decode(data, &e); err != nil || reflect.ValueOf(&e).Elem().IsZero() && reflect.TypeFor[E]().Kind() == reflect.Pointer {
			return nil, false
		}
		return e, true
	}
	serve.Know(name, match, restore)
	return struct{}{}
}

var _ = serve.KnowSentinels(map[string]error{
	"pool.ErrClosed": ErrClosed, "pool.ErrQueueFull": ErrQueueFull, "pool.ErrCrashLoop": ErrCrashLoop, "pool.ErrInWorker": ErrInWorker,
	"pool.ErrMainNotCalled": ErrMainNotCalled, "pool.ErrUnsupported": ErrUnsupported, "pool.ErrUnknownTask": ErrUnknownTask,
	"pool.ErrPayloadTooLarge": ErrPayloadTooLarge, "pool.ErrNoSuchSlot": ErrNoSuchSlot,
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

// unpackError restores what packError described; names this program does not know are left out.
func unpackError(task string, w wire.Error) *HandlerError {
	e := &HandlerError{Task: task, Message: w.Message, Type: w.Type}
	for _, known := range w.Known {
		if err, ok := serve.Restore(known); ok {
			e.wrapped = append(e.wrapped, err)
		}
	}
	return e
}

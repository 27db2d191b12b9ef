package pool

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// External declares a task whose handler is in another program, in whatever language: it runs on pools with a
// [Config.Command], whose workers know a handler of that name, and on no others. The name has 1 to 255 bytes, or
// External panics; to declare it again is to mean the same task.
//
// In and Out travel as JSON by encoding/json, with its struct tags, and a []byte (or [Lent]) as it is. Text that is not
// UTF-8 is refused, and so is null for an Out that has no nil: what a handler answers that forgot to return something.
// An exception of the handler is a *HandlerError, with the exception's type as Type and the traceback as Trace. Encoded
// arguments and results have at most about 4 MiB where workers do not share memory with the pool; Python's do, Node's
// do not.
func External[In, Out any](name string) Task[In, Out] {
	return declare[In, Out](name, JSON, codec.IsBytes[In](), codec.IsBytes[Out]())
}

// ExternalCodec is External with a codec of the caller's own. The handler gets and gives bytes.
func ExternalCodec[In, Out any](name string, c Codec) Task[In, Out] {
	return declare[In, Out](name, c, true, true)
}

func declare[In, Out any](name string, c Codec, rawArg, rawResult bool) Task[In, Out] {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		panic(fmt.Sprintf("pool: external task name %q: want 1 to %d bytes of UTF-8", name, maxName))
	}
	by := codec.Of(c)
	def := &definition{name: name, codec: by, light: codec.Unseen[Out](by), external: true}
	if rawArg {
		def.flags |= wire.FlagBytes
	}
	if rawResult {
		def.flags |= wire.FlagWantBytes
	}
	externals.Store(name, def)
	return Task[In, Out]{def}
}

// externals is the last *definition of each external task, by name: what a task that came by Send is made of.
var externals sync.Map

const maxName = 255

// introduced makes w know the tasks that it says that it has, or tells why it is no worker of this pool's.
func (w *worker) introduced(payload []byte) *BootError {
	var r wire.Ready
	refuse := func(format string, args ...any) *BootError {
		return &BootError{Worker: w.name, Reason: "is not what this pool can use: " + fmt.Sprintf(format, args...)}
	}
	if err := json.Unmarshal(payload, &r); err != nil {
		return refuse("its ready frame is not the JSON of docs/wire.md: %v", err)
	}
	switch {
	case r.Protocol != wire.Protocol:
		return refuse("it speaks protocol %d (%s), and this pool speaks %d: use the SDK that comes with this version",
			r.Protocol, r.SDK, wire.Protocol)
	case r.PID != w.proc.PID():
		return refuse(
			"the command starts the worker as a child, process %d, and the pool sees %d alone: use exec in a script, "+
				"or name the interpreter itself", r.PID, w.proc.PID())
	case len(r.Tasks) > maxTaskNames:
		return refuse("it has %d tasks: at most %d", len(r.Tasks), maxTaskNames)
	}
	w.shares = slices.Contains(r.Can, "arena")
	w.tasks = make(map[string]uint16, len(r.Tasks))
	for i, name := range r.Tasks {
		if _, twice := w.tasks[name]; twice {
			return refuse("it has two tasks of the name %q", name)
		}
		w.tasks[name] = uint16(i)
	}
	return nil
}

// externalBooted is what a worker of another language says at the end of its boot; nil: it is ready.
func (w *worker) externalBooted(f *wire.Frame) *BootError {
	if f.Kind == wire.FrameReady {
		return w.introduced(f.Payload)
	}
	var e wire.Failure
	if err := json.Unmarshal(f.Payload, &e); err != nil {
		e.Message = err.Error()
	}
	return &BootError{
		Worker: w.name, Reason: "could not prepare itself",
		Err: &HandlerError{Message: e.Message, Type: e.Type, Trace: e.Trace},
	}
}

const maxTaskNames = 1 << 16

// byArena tells whether c's argument goes to w by shared memory.
func (w *worker) byArena(c *call) bool {
	if !c.large() || c.def.external && !w.shares {
		return false
	}
	down, _ := w.proc.Arenas()
	return down != nil
}

// tellCollected tells w how many of its large results have been collected from the arena.
func (w *worker) tellCollected() {
	if w.board == nil {
		return // it has been given up
	}
	w.board.Collected(w.collected, w.up.free())
	if w.p.cfg.Command != nil {
		w.proc.Control(wire.Control{Kind: wire.ControlCollected, Arg: uint32(w.collected)})
	}
}

// lacks is the error of a task that w has no handler for, or no room; nil if it has both.
func (w *worker) lacks(c *call) error {
	if !w.shares && c.size() > wire.MaxExternal {
		return fmt.Errorf("%w: argument of task %q: %d bytes, at most %d for %s, which shares no memory with its "+
			"pool (it can: arena, see docs/wire.md)",
			ErrPayloadTooLarge, c.def.name, c.size(), wire.MaxExternal, w.name)
	}
	if _, ok := w.tasks[c.def.name]; ok {
		return nil
	}
	return fmt.Errorf("%w: %s has no handler for %q; it has %s", ErrUnknownTask, w.name, c.def.name, someNames(w.tasks))
}

// externalFailure decodes what a worker of another language answered in place of a value.
func (c *call) externalFailure() error {
	var e wire.Failure
	if err := json.Unmarshal(c.data, &e); err != nil {
		return &EncodeError{Task: c.def.name, What: "decode failure", Err: err}
	}
	e.Message = cmp.Or(e.Message, e.Type, "an error of which nothing was said")
	told := &HandlerError{Task: c.def.name, Message: e.Message, Type: e.Type, Trace: e.Trace}
	switch {
	case c.raw == wire.FrameError:
		return told
	case c.raw == wire.FrameEncode && e.TooLarge:
		return fmt.Errorf("%w: result of task %q: %s", ErrPayloadTooLarge, c.def.name, e.Message)
	case c.raw == wire.FrameEncode:
		return &EncodeError{Task: c.def.name, What: e.What, Err: told}
	default:
		return fmt.Errorf("%w: %q: %s", ErrUnknownTask, c.def.name, e.Message)
	}
}

// misfit is the error of a task for workers of the other kind than the pool's.
func (p *Pool) misfit(def *definition) error {
	if def.external {
		return fmt.Errorf("%w: %q is declared with External, and this pool's workers are this program: use a pool "+
			"with Config.Command", ErrOtherWorkers, def.name)
	}
	return fmt.Errorf("%w: %q is registered in this program, and this pool's workers are %q: declare it with "+
		"External for these, or use a pool without Config.Command", ErrOtherWorkers, def.name, p.cfg.Command)
}

// someNames lists names for a message, not too many of them.
func someNames(tasks map[string]uint16) string {
	if len(tasks) == 0 {
		return "none"
	}
	const most = 10
	names := slices.Sorted(maps.Keys(tasks))
	text := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

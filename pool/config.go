package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/serve"
	"github.com/respawn-go/respawn/internal/wire"
)

// Bytes is a size in bytes. The zero value means "no limit" wherever a Config field has this type.
type Bytes int64

// Sizes for writing Config literals: 64 * pool.MiB.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
)

// Delivery says what happens to a task whose worker died while running it.
type Delivery uint8

const (
	// AtLeastOnce runs the task again, on another worker, until its death budget is spent. The default.
	AtLeastOnce Delivery = iota
	// AtMostOnce sends a task again only when it is proven never to have started, and otherwise settles it with
	// *WorkerLostError. WithDelivery(AtMostOnce) is the [Option] for one task.
	AtMostOnce
)

func (d Delivery) String() string {
	return [...]string{"at least once", "at most once"}[min(d, AtMostOnce)]
}

// Budgets bounds how many worker deaths one task may be blamed for, by kind. A task whose count reaches its budget is
// settled with *WorkerLostError. Zero fields take the defaults; 1 means that the first death of that kind settles it,
// and 1,000 is the most, since the task's error has a record of each.
type Budgets struct {
	Crashes int // exit codes, SIGSEGV, SIGABRT, stalls, …; default 3
	OOM     int // killed by the kernel's OOM killer or out of memory by a limit; default 3
	Killed  int // SIGKILL or SIGTERM from outside without evidence of OOM; default 16
	Nodes   int // of a fleet: ends of whole nodes, see package fleet; default 5. A pool has none
}

const maxBudget = 1000

// Config says how a pool is made. The zero value works: one worker per CPU, no limits, at-least-once delivery.
// A Config is copied by New; changing it later has no effect.
type Config struct {
	// Size is the number of workers, 1 to 100,000; 0 means runtime.GOMAXPROCS(0).
	Size int
	// Spares is the number of hot spares: booted, initialised workers that take the place of a dead one at once. New
	// does not wait for them.
	// Default 0. They are not counted in Size and are not listed by Workers until they take a slot.
	Spares int

	// Initializer runs once in each worker, before its first task. Make it with [RegisterInit] and Init.With.
	// A worker whose initializer fails counts as one that could not boot.
	Initializer *Initializer

	// MaxTasks recycles a worker after it has settled this many tasks. Default 0: never.
	MaxTasks int
	// MaxAge recycles a worker this long after it became ready. Default 0: never.
	MaxAge time.Duration
	// SoftMemory recycles a worker whose resident set exceeds this, after its current task. Default 0: never.
	SoftMemory Bytes
	// HardMemory is the most memory a worker may use, enforced by the kernel: a memory cgroup of its own where one
	// can be had, else RLIMIT_DATA, which the log says and why. A worker that reaches it is killed and its task is
	// charged to Budgets.OOM. It holds from ready on; in a cgroup, for workers of a Command, from their start. Default
	// 0: no limit. At least 16 MiB.
	HardMemory Bytes

	// TaskTimeout kills the worker of a task that has been running this long, counted from the start of the task
	// as the parent sees it (time in the queue does not count), and settles it with *TimeoutError. Default 0: never.
	// [WithTimeout] sets it for one task.
	TaskTimeout time.Duration
	// CancelGrace is how long a running handler may take to return after its context was cancelled before its
	// worker is killed. Default 5 s; negative: never killed.
	CancelGrace time.Duration

	// QueueLimit bounds the tasks that wait for a worker (those already sent to one do not count). Default 0: no
	// bound.
	QueueLimit int
	// QueueBlock makes Submit wait, until its context is done, for room in a full queue instead of failing with
	// ErrQueueFull.
	QueueBlock bool

	// Delivery is AtLeastOnce by default; [WithDelivery] sets it for one task.
	Delivery Delivery
	// Budgets bounds the deaths a task may cause.
	Budgets Budgets

	// BootTimeout is how long a worker may take from its start to ready, initializer included. Default 30 s.
	BootTimeout time.Duration
	// Backoff spaces the restarts of workers that do not come up, and says when to give up for a while.
	Backoff Backoff
	// Heartbeat is how long a worker may leave a ping unanswered before it is taken for stalled, killed and
	// replaced. Default 10 s; negative: no heartbeat. At least 50 ms. Workers of a Command are not pinged, since an
	// interpreter that is busy with a long call cannot answer: for them it is how long one may be stopped (SIGSTOP), or
	// leave a task lying with nothing to do.
	Heartbeat time.Duration
	// StopGrace is how long a worker may take to exit before SIGKILL: one that has nothing left to do, from when it is
	// told to; one that got SIGTERM from outside, its running task included. Drain, Restart, Resize and recycling wait
	// for the running task first, however long it takes: TaskTimeout bounds that. Default 5 s.
	StopGrace time.Duration
	// CloseTimeout bounds Close: after it, what is left is terminated. Default 30 s.
	CloseTimeout time.Duration

	// Program is the workers' executable, which registers the same tasks in the same order and calls Main: another
	// build of this program, or a script that ends in "exec PROGRAM". It is looked up once, by New, as exec.LookPath
	// does, and loaded anew for each worker. Default: the executable that this process runs, even after its file was
	// replaced; set it to that file's path, and [Pool.Restart] after a deploy in place loads the new one.
	Program string
	// Command starts workers of another language, which speak docs/wire.md: the interpreter, its script, and arguments.
	// The first is looked up once, by New, as exec.LookPath does, but a path with a slash in it begins at Dir, and is
	// passed on as it was found. Tasks of such a pool are declared with [External]; no others run there. Everything
	// else is as for workers that are this program, but: no Initializer, no [Pool.ArmCrashPoint], MaxPayload is at most
	// about 4 MiB where workers cannot share memory (Python's can), and nobody pings (see Heartbeat). No more of them
	// boot at a time than runtime.GOMAXPROCS, spares after the others, since imports keep processors busy; a boot that
	// takes over an eighth of BootTimeout no longer keeps others waiting. Main is needed all the same, for the
	// guardian. Default nil: workers are this program, or Program.
	Command []string
	// Env is added to the environment that workers inherit ("KEY=value"), which is this process's as New finds it.
	Env []string
	// Dir is the workers' working directory, which New opens: it stays theirs when this process goes elsewhere, or when
	// it is renamed. Default: the one that New is called in.
	Dir string
	// Stdout and Stderr say where the workers' output goes: a function is called with each whole line (without its
	// end) from one goroutine per worker, lines over 64 KiB in pieces. A function that blocks holds up its worker's
	// output, and the record of the worker's exit by at most a second; the line is the function's only until it
	// returns. Default nil: lines pass through to this process's own stdout and stderr, as "Worker-1: line". That never
	// blocks a worker or the pool: where nobody reads, a MiB waits, and what is over is dropped and counted there;
	// Close waits for the rest, at most a second. [Discard] drops them. The tail of stderr (the last 4 KiB) is kept for
	// exit records whatever is set here.
	Stdout func(worker string, line []byte)
	Stderr func(worker string, line []byte)

	// MaxPayload bounds one encoded argument or result. Default 1 GiB, at most 1 GiB.
	//
	// Large ones go by memory that a worker shares with this process and that is taken when it is first touched. What
	// results took is given back some seconds after the last large one, once the worker is idle; what arguments took
	// stays with the worker. SoftMemory and MaxAge end that too.
	MaxPayload Bytes
	// NoCgroup keeps the pool from making cgroups: HardMemory then uses RLIMIT_DATA.
	NoCgroup bool
	// Measure has Stats tell how long tasks waited, ran and took, in all and by name. It costs a look at the clock or
	// two for each task, and of tiny tasks for one in 64. Default: they are not measured.
	Measure bool
	// Logger gets the workers' lives at Info and their failures at Warn, from a goroutine of its own: its handler may
	// call the pool, and one that blocks holds nothing up but the log, of which 1,000 records may wait. Close waits for
	// the rest, at most a second. Default nil: nothing is logged.
	Logger *slog.Logger

	start       process.StartFunc // the process seam; nil: real processes
	mutant      mutant            // our own pool broken on purpose, for the tests
	keptFor     time.Duration     // how long an arena keeps what it does not need; the tests want it sooner
	jitter      func() float64    // randomness of the backoff in [0,1); nil: math/rand
	directAfter int               // calls in a row before a reader stops; 0: directAfter, below: none
}

// Backoff describes what happens when workers fail to come up. A failure is an exit before ready, or within a second
// after it without a settled task, unless the worker was killed from outside or its end is charged to a task, which has
// [Budgets] of its own. The first restart is always immediate; the n-th one in a row waits Base·2ⁿ⁻², jittered by ±50
// %, at most Max, and so it does after workers that were killed while they booted. Failures of all slots add to one
// score that halves every HalfLife; when it reaches Threshold the breaker opens; so it does at Threshold failures in a
// row, however far apart, while no worker is there at all or New waits for the first ones, and in that row boots that
// were killed from outside count too. Then no worker is started for a delay that doubles each time (Base·2ⁿ, at most
// Max), then a single probe worker is, and the breaker closes once it stays up.
type Backoff struct {
	Base      time.Duration // default 100 ms
	Max       time.Duration // default 10 s
	Threshold int           // default 5 plus the pool's size
	HalfLife  time.Duration // default 10 s
}

const (
	maxSize        = 100_000
	minHardMemory  = 16 * MiB
	maxMaxPayload  = GiB
	minHeartbeat   = 50 * time.Millisecond
	readySettle    = time.Second // how long after ready an exit still counts as a failure to come up
	quarantineWait = 5 * time.Second
)

// withDefaults returns the config with every zero field that has a default set to it.
func (c Config) withDefaults() Config {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.directAfter, directAfter)
	def(&c.Size, runtime.GOMAXPROCS(0))
	def(&c.Budgets.Crashes, 3)
	def(&c.Budgets.OOM, 3)
	def(&c.Budgets.Killed, 16)
	def(&c.Backoff.Threshold, 5+c.Size)
	dur(&c.Backoff.Base, 100*time.Millisecond)
	dur(&c.Backoff.Max, 10*time.Second)
	dur(&c.Backoff.HalfLife, 10*time.Second)
	dur(&c.CancelGrace, 5*time.Second)
	dur(&c.BootTimeout, 30*time.Second)
	dur(&c.Heartbeat, 10*time.Second)
	dur(&c.StopGrace, 5*time.Second)
	dur(&c.CloseTimeout, 30*time.Second)
	if c.keptFor == 0 {
		c.keptFor = keptFor
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = maxMaxPayload
	}
	if c.Command != nil {
		c.Command = slices.Clone(c.Command)
	}
	return c
}

// Validate reports every problem of the config, joined; nil means that New will accept it. New calls it itself.
func (c Config) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf("pool: "+format, args...))
		}
	}
	bad(c.Size < 0 || c.Size > maxSize, "Config.Size is %d: want 1 to %d, or 0 for one worker per CPU", c.Size, maxSize)
	bad(c.Spares < 0 || c.Spares > maxSize, "Config.Spares is %d: want 0 to %d", c.Spares, maxSize)
	bad(c.MaxTasks < 0, "Config.MaxTasks is %d: want a positive number, or 0 for no limit", c.MaxTasks)
	bad(c.MaxAge < 0, "Config.MaxAge is %v: want a positive duration, or 0 for no limit", c.MaxAge)
	bad(c.SoftMemory < 0, "Config.SoftMemory is %d: want a positive size, or 0 for no limit", c.SoftMemory)
	bad(c.HardMemory < 0 || c.HardMemory > 0 && c.HardMemory < minHardMemory,
		"Config.HardMemory is %d: want at least %d (a Go process needs that to live), or 0 for no limit",
		c.HardMemory, minHardMemory)
	bad(c.HardMemory > 0 && c.SoftMemory >= c.HardMemory,
		"Config.SoftMemory (%d) must be below Config.HardMemory (%d), or it never acts", c.SoftMemory, c.HardMemory)
	bad(c.TaskTimeout < 0, "Config.TaskTimeout is %v: want a positive duration, or 0 for none", c.TaskTimeout)
	bad(c.QueueLimit < 0, "Config.QueueLimit is %d: want a positive number, or 0 for no limit", c.QueueLimit)
	bad(c.QueueBlock && c.QueueLimit == 0, "Config.QueueBlock needs a QueueLimit to block at")
	bad(c.Delivery > AtMostOnce, "Config.Delivery is %d: want AtLeastOnce or AtMostOnce", c.Delivery)
	c.Budgets.validate(bad)
	bad(c.BootTimeout < 0, "Config.BootTimeout is %v: want a positive duration, or 0 for 30s", c.BootTimeout)
	bad(c.Backoff.Base < 0 || c.Backoff.Max < 0 || c.Backoff.HalfLife < 0 || c.Backoff.Threshold < 0,
		"Config.Backoff has a negative field: want positive ones, or 0 for the defaults")
	bad(c.Heartbeat > 0 && c.Heartbeat < minHeartbeat,
		"Config.Heartbeat is %v: want at least %v, 0 for 10s, or negative for none", c.Heartbeat, minHeartbeat)
	bad(c.StopGrace < 0, "Config.StopGrace is %v: want a positive duration, or 0 for 5s", c.StopGrace)
	bad(c.CloseTimeout < 0, "Config.CloseTimeout is %v: want a positive duration, or 0 for 30s", c.CloseTimeout)
	bad(c.MaxPayload < 0 || c.MaxPayload > maxMaxPayload, "Config.MaxPayload is %d: want at most %d, or 0 for that",
		c.MaxPayload, maxMaxPayload)
	bad(c.Initializer != nil && (c.Initializer.name == "" || c.Initializer.arg == nil),
		"Config.Initializer has no function: want the result of RegisterInit(...).With(...), or nil for none")
	for _, kv := range c.Env {
		bad(strings.IndexByte(kv, '=') <= 0 || strings.ContainsRune(kv, 0), "Config.Env has %q: want KEY=value", kv)
	}
	bad(c.Command != nil && c.Program != "", "Config has a Program and a Command: want Program for workers that are "+
		"Go programs with Main, or Command for others")
	bad(c.Command != nil && c.Initializer != nil, "Config.Initializer is of this program, and Config.Command starts "+
		"another: let that prepare itself before it serves")
	bad(c.Command != nil && len(c.Command) == 0, "Config.Command is empty: want a program and its arguments, or nil")
	for i, arg := range c.Command {
		bad(strings.ContainsRune(arg, 0), "Config.Command[%d] is %q, which has a zero byte", i, arg)
	}
	if len(c.Command) > 0 {
		if _, err := c.lookUpCommand(); err != nil {
			errs = append(errs, err)
		}
	}
	if c.Program != "" {
		_, err := exec.LookPath(c.Program)
		bad(err != nil, "Config.Program: %w", err)
	}
	if c.Dir != "" {
		info, err := os.Stat(c.Dir)
		bad(err != nil, "Config.Dir: %w", err)
		bad(err == nil && !info.IsDir(), "Config.Dir is %q, which is not a directory", c.Dir)
	}
	return errors.Join(errs...)
}

func (b Budgets) validate(bad func(cond bool, format string, args ...any)) {
	for _, own := range []struct {
		field   string
		n, zero int
	}{
		{"Crashes", b.Crashes, 3},
		{"OOM", b.OOM, 3},
		{"Killed", b.Killed, 16},
		{"Nodes", b.Nodes, 5},
	} {
		bad(own.n < 0 || own.n > maxBudget, "Config.Budgets.%s is %d: want 1 to %d, or 0 for %d",
			own.field, own.n, maxBudget, own.zero)
	}
}

// Initializer is a registered initializer bound to its argument: what [Config.Initializer] takes.
type Initializer struct {
	name string
	arg  func() ([]byte, error)
}

// Init is a function that prepares a worker process, registered by [RegisterInit].
type Init[Arg any] struct{ name string }

// RegisterInit registers a function that runs once in each worker before its first task. Like [Register] it belongs in
// a package-level variable; a second registration of a name panics, and so does a type that
// cannot travel (see Register).
func RegisterInit[Arg any](name string, fn func(ctx context.Context, arg Arg) error) Init[Arg] {
	codec.MustTravel("initializer", name, "argument", reflect.TypeFor[Arg]())
	serve.Registry.AddInit(name, func(ctx context.Context, data []byte) error {
		var arg Arg
		if err := CBOR.Decode(data, &arg); err != nil {
			return fmt.Errorf("decode the argument of initializer %q: %w", name, err)
		}
		return fn(ctx, arg)
	})
	return Init[Arg]{name: name}
}

// maxInitArg bounds an initializer's argument, which travels in one frame with the rest of what a worker is told.
const maxInitArg = wire.MaxFrame - 64<<10

// With binds the initializer to its argument, for [Config.Initializer]. The argument is encoded once, by New, to at
// most about 4 MiB: put more into a file.
func (i Init[Arg]) With(arg Arg) *Initializer {
	return &Initializer{name: i.name, arg: func() ([]byte, error) {
		data, err := CBOR.Append(nil, &arg)
		if err == nil && len(data) > maxInitArg {
			err = fmt.Errorf("%w: %d bytes, at most %d: put it into a file", ErrPayloadTooLarge, len(data), maxInitArg)
		}
		return data, err
	}}
}

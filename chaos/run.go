package chaos

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Run is one experiment: a target under load, faults on a schedule, and a history of everything. Fill in the fields and
// call Do. Its stages are
//
//	boot     wait until the target has the members it wants
//	warmup   load without faults, not judged (none if the load is a given number of tasks)
//	steady   the same, to compare with
//	chaos    the faults; the load goes on
//	settle   no more faults; ends once every slot has recovered, at the latest after Settle
//	verify   no more load; what is in flight is waited for and every slot is probed
//	stop     the target is closed, if Close is set, and its leftovers are looked for
//
// Cancelling Do's context ends the run early and cleanly: faults are healed and cleaned up, the target is closed and
// the history ends as aborted.
type Run struct {
	Target Target
	// Open is called once with the finished header, whose Started is T = 0, and returns where the events go: see
	// history.NewWriter.
	Open func(history.Header) (Recorder, error)
	// Header is what the caller knows: scenario, rules, floors, environment. Do fills in the rest.
	Header history.Header

	Seed  uint64    // makes the plan repeatable
	Load  *Load     // nil: the target is idle
	Chaos []Nemesis // side by side
	Shots []Shot    // a replay, see Trace; nil: Plan(Seed, Chaos)

	MinAlive int           // injections that would leave fewer members alive are refused
	Boot     time.Duration // bounds the stage boot; default 30s
	Warmup   time.Duration // length of the stage; default 0
	Steady   time.Duration // length of the stage, and of the calm at the end of settling; default 500ms
	Settle   time.Duration // bounds settling, the wait for tasks in flight and the probes; default 10s
	Timeout  time.Duration // bounds the stages before stop, see ErrTimeout; default: nothing does
	Sample   time.Duration // how often the target is looked at; default 100ms, longer where a look takes long

	Abort    []Abort             // conditions that end the run early
	Guardian Guardian            // undoes what lasts if this process is killed; nil: nobody does
	Progress func(history.Event) // sees every event as it is recorded, for a live display; must not block
	// Close closes the target in the stage stop. What it had to end because the target did not counts as orphans if it
	// returns a [*LeftError]. nil: the target stays open, and what it leaves behind is not known.
	Close func() error
	// Floors measures the header's floors once more when the target is gone, in seconds: whoever reads the run sees how
	// far the host has changed since. nil: they are not.
	Floors func(context.Context) map[string]float64
	// Witness is the file in which the tasks record their own executions: see chaos/witness. It is read once, after
	// Close. "": there is none.
	Witness string
}

// Create is for Run.Open: the history goes to a new file.
func Create(path string) func(history.Header) (Recorder, error) {
	return func(h history.Header) (Recorder, error) { return history.Create(path, h, history.Options{}) }
}

// Recorder is where a run's events go: a *history.Writer. It stamps them.
type Recorder interface {
	Append(history.Event) error
	Close(aborted bool) error
}

// Abort is a condition that ends a run early, as a failure of the target.
type Abort struct {
	Rule    string                   // the condition, for the alarm: as history.Rule.Text has it
	Tripped func(history.Event) bool // looks at every event, and ends the run with its first yes
}

// LeftError is for Run.Close: processes of the target still ran when it should have come to its end, and Close ended
// them.
type LeftError struct{ Processes int }

func (e *LeftError) Error() string {
	return fmt.Sprintf("the target left %d of its processes running, which were ended", e.Processes)
}

// ErrInterrupted is returned by Do when its context ended before the run.
var ErrInterrupted = errors.New("chaos: the run was interrupted")

// ErrTimeout is returned by Do when Timeout was over before the run. Nobody interrupted it: what is in flight is given
// Settle to end, unless somebody interrupts that, and what does not move in it hangs.
var ErrTimeout = errors.New("chaos: the run took too long")

// ErrAborted is returned by Do when an abort condition tripped.
var ErrAborted = errors.New("chaos: an abort condition ended the run")

// ErrHistory is returned by Do when the history could not be written: it is cut short, and need not go on.
var ErrHistory = errors.New("chaos: the history cannot be written")

// Validate reports every mistake, joined.
func (r *Run) Validate() error {
	var errs []error
	if r.Target == nil {
		errs = append(errs, errors.New("chaos: Run.Target is missing"))
	}
	if r.Open == nil {
		errs = append(errs, errors.New("chaos: Run.Open is missing: the history has to go somewhere"))
	}
	shots := 0.0
	for i, n := range r.Chaos {
		if err := n.Validate(); err != nil {
			errs = append(errs, fmt.Errorf("chaos: Run.Chaos[%d]: %w", i, err))
		}
		shots += n.When.Shots()
	}
	if shots > MaxShots {
		errs = append(errs, fmt.Errorf("chaos: Run.Chaos plans %.0f injections: want at most %d", shots, MaxShots))
	}
	for _, s := range r.Shots {
		if s.Nemesis < 0 || s.Nemesis >= len(r.Chaos) || s.Fault == nil {
			errs = append(errs, fmt.Errorf("chaos: Run.Shots has one of nemesis %d with fault %v", s.Nemesis, s.Fault))
		}
	}
	if r.Load != nil {
		errs = append(errs, r.Load.validate(r.Target))
	}
	return errors.Join(errs...)
}

// Do runs the experiment. It returns nil when the run came to its end, whatever the target did: that is for the history
// to tell and for check to judge. Errors: mistakes in the fields; ErrInterrupted; ErrTimeout; ErrAborted; what broke in
// the harness.
func (r *Run) Do(ctx context.Context) error {
	if err := r.Validate(); err != nil {
		return err
	}
	x := newExperiment(r)
	if err := x.open(); err != nil {
		return err
	}
	return x.run(ctx)
}

// experiment is a run that is going on.
type experiment struct {
	*Run
	clock   *clock
	exits   exits
	shots   []Shot
	quick   time.Duration // how much longer than its length a task took a member at most before the faults
	pace    float64       // how many tasks of a queue were done at a time before the faults
	loader  *loader
	sampler *sampler
	probes  sync.WaitGroup
	planEnd time.Duration // when the chaos is planned to be over

	doubted   atomic.Int64 // when the harness last looked at itself
	witnessed atomic.Bool  // the witness was there
	troubled  atomic.Bool  // and that was why the run ended
	pending   atomic.Int64 // shots that are not over, without those that wait for the others
	claims    claims

	recMu   sync.Mutex
	rec     Recorder
	recErr  error               // the history could not be written
	retired history.Retirements // as the history tells
	cancel  context.CancelCauseFunc
	tell    func() // records, once, why the run ended early

	pickMu sync.Mutex // held while victims are picked, so that two picks keep the floor together

	mu        sync.Mutex
	lastN     int                   // number of the last injection
	held      map[*Victim]bool      // victims of injections that are not over
	probing   int                   // probes that may be on their way
	ownOOM    map[who]int64         // the kernel's OOM kills of members
	announced map[announcement]bool // until the stage boot is over
	failures  []error               // of the harness
}

func newExperiment(r *Run) *experiment {
	def := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	filled := *r
	def(&filled.Boot, 30*time.Second)
	def(&filled.Steady, 500*time.Millisecond)
	def(&filled.Settle, 10*time.Second)
	def(&filled.Sample, 100*time.Millisecond)
	if filled.Guardian == nil {
		filled.Guardian = noGuardian{}
	}
	x := &experiment{
		Run: &filled, held: map[*Victim]bool{}, shots: filled.Shots,
		ownOOM: map[who]int64{}, announced: map[announcement]bool{},
	}
	if x.shots == nil {
		x.shots = Plan(r.Seed, r.Chaos)
	}
	return x
}

// open finishes the header and starts the clock.
func (x *experiment) open() (err error) {
	h := x.Header
	x.clock = newClock()
	h.SchemaVersion, h.Seed, h.Cores, h.Settle = history.SchemaVersion, x.Seed, runtime.NumCPU(), x.Settle
	h.Started, h.Clock, h.Target = x.clock.started, x.clock.base, x.Target.Describe()
	_, probed := x.Target.(Prober)
	h.Target.Unprobed = !probed
	if x.Witness == "" { // the tasks may be others than the built-in ones: nobody witnesses them
		h.Target.Can = slices.DeleteFunc(slices.Clone(h.Target.Can), func(can string) bool { return can == "witness" })
	}
	if l := x.Load; l != nil {
		var takes time.Duration
		if x.builtIn() {
			takes, _ = l.Args["duration"].(time.Duration) // of a sleep
		}
		h.Load = &history.Load{
			Task: l.Task, Concurrency: l.Concurrency, Rate: l.Rate, Count: l.Count + l.Map, Takes: takes,
		}
	}
	h.Nemesis = nil
	for _, n := range x.Chaos {
		h.Nemesis = append(h.Nemesis, n.record())
	}
	x.rec, err = x.Open(h)
	return err
}

// record stamps an event and hands it to the history, the live display and the abort conditions.
func (x *experiment) record(e history.Event) {
	x.recMu.Lock()
	defer x.recMu.Unlock()
	if err := x.rec.Append(e); err != nil && x.recErr == nil {
		x.recErr = fmt.Errorf("%w: %w", ErrHistory, err)
		x.cancel(x.recErr)
	}
	e.T = x.clock.now()
	if e.Member != nil {
		x.retired.Hear(e.Member, e.T)
	}
	if x.Progress != nil {
		x.Progress(e)
	}
	for _, a := range x.Abort {
		if a.Tripped(e) {
			x.cancel(&abortError{a.Rule})
		}
	}
}

// abortError is an ErrAborted with the condition that held.
type abortError struct{ rule string }

func (e *abortError) Error() string { return ErrAborted.Error() + ": " + e.rule }
func (e *abortError) Unwrap() error { return ErrAborted }

// fail notes that the harness broke.
func (x *experiment) fail(err error) {
	x.record(history.Event{Alarm: &history.Alarm{Kind: history.AlarmError, Text: err.Error()}})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.failures = append(x.failures, err)
}

func (x *experiment) note(format string, args ...any) {
	x.record(history.Event{Note: &history.Note{Text: fmt.Sprintf(format, args...)}})
}

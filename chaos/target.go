package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Target is a pool of member processes that faults are injected into: the one thing the harness knows of what it tests.
// A target that can do more also implements some of the capability interfaces below; a fault that needs one a target
// lacks is refused by name. All methods are safe for concurrent use and return promptly when ctx is done.
type Target interface {
	// Describe says what the target is, for the header of the history.
	Describe() history.Target
	// Want is how many members the target is to have now.
	Want() int
	// Members lists the members it has now: at most one per slot, slots from 0.
	Members(ctx context.Context) ([]Member, error)
	// Watch calls fn with every life event from now on, in order and from one goroutine, until stop is called; fn must
	// not block. Member.At, if set, is on CLOCK_MONOTONIC: see Monotonic. A target that cannot tell its events sees to
	// it that they are derived from listings. stop returns how many events were lost because fn was too slow.
	Watch(fn func(history.MemberEvent)) (stop func() (dropped uint64))
}

// Member is one process of a target at one moment.
type Member struct {
	Slot       int
	Generation int // 1 for the first in its slot, counting up; 0 when the target does not tell
	Name       string
	Role       string // what it is to the target: Node, Broker, Owner; "" where all are alike
	PID        int
	Started    time.Time // zero when the target does not tell
	State      State
	// what it is doing: idle, reading, running, writing, draining, booting; a broker: leader, follower, catching-up; ""
	// when not told
	Phase  string
	Cgroup string // its memory cgroup's directory; "" without one
}

// State is where a member is in its life.
type State string

// The states of a member.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Stopping State = "stopping"
)

// The roles of members, in a target whose members are not all alike.
const (
	Node   = "node"   // runs tasks
	Broker = "broker" // hands them out; the slots of brokers come after those of nodes: history.Target.Brokers
	Owner  = "owner"  // submits tasks of its own, beside the load; the slots of owners come last: history.Target.Owners
)

// RunsTasks tells whether members of the role do.
func RunsTasks(role string) bool { return role != Broker && role != Owner }

// Busy tells whether the member is known to be working.
func (m Member) Busy() bool { return m.Phase == "running" || m.Phase == "writing" }

// Idle tells whether the member is known to wait for work.
func (m Member) Idle() bool { return m.State == Ready && m.Phase == "idle" }

// Prober is a target whose members can be asked for an answer. Of one that is none it is not known whether a slot whose
// member is there does its work: see history.Target.Unprobed.
type Prober interface {
	// Probe runs a small verifiable task on the member that is in the slot, waiting for its replacement if need be, and
	// returns the pid of the process that answered. A wrong answer is an error.
	Probe(ctx context.Context, slot int) (pid int, err error)
}

// Guarded is a target some of whose members must not be victims, though they are members.
type Guarded interface {
	// Strikable tells why a member must not be struck now, nil if it may: a [*MissedError] if it may be later, a
	// [*RefusedError] if never. It is asked when the member is held, so that what it reads of the number is the
	// member's.
	Strikable(m Member) error
}

// Runner is the load side of a target: it runs the built-in, verifiable tasks.
type Runner interface {
	// Do submits one task and waits for its outcome, which it verifies. It never returns without one of the outcomes of
	// history.Task unless ctx ends first (outcome "hung").
	Do(ctx context.Context, t Task) Settled
}

// Mapper is a Runner that can run many tasks as one ordered map.
type Mapper interface {
	// Map runs the tasks as one call of the target's ordered map and tells how each ended, in their order; a value that
	// comes at another place than its task's is Wrong. Those that have not ended when ctx ends are Hung.
	Map(ctx context.Context, tasks []Task, ended func(i int, s Settled))
}

// Unwitnessed is a Runner that tells whether it runs the built-in tasks although nothing records their executions.
type Unwitnessed interface {
	Unwitnessed() bool
}

// Task is one submission of a built-in task.
type Task struct {
	ID   uint64         // unique within the run; tasks append it to the witness file
	Name string         // sleep, square, hash, primes, echo, alloc
	Args map[string]any // as in the scenario: {"duration": 5ms} …
}

// Settled is how a submission ended.
type Settled struct {
	Outcome  history.Outcome
	Err      string // for people; "" for ok
	Attempts int    // 0 when the target does not tell
	PID      int    // whose answer it was; 0 when not told
}

// Stress is what a member is made to do to itself.
type Stress struct {
	PID   int           // only this process does it; 0: whoever is in the slot
	Kind  string        // "alloc", "fds", "pids", "exit", "panic"
	Bytes int64         // alloc: to touch in all; 0: until it dies
	Count int           // fds, pids: to open, at most; exit: the code
	Text  string        // panic: the message
	Hold  time.Duration // how long what was taken is held
}

// Marker is the line by which a member announces on its stderr what it is about to die of, so that its end is not taken
// for another's doing. Stressers write it for exit and panic.
func (s Stress) Marker() string {
	switch s.Kind {
	case "exit":
		return fmt.Sprintf("respawn stress: exit %d", s.Count)
	case "panic":
		return "respawn stress: panic " + s.Text
	}
	return "respawn stress: " + s.Kind
}

// Stressed is what a member answered to a Stress; the zero value when it died of it.
type Stressed struct {
	Text    string // for people: "EMFILE after 61"
	Refused string // the error that ended it, by its name: "EMFILE"; "" when it got all that it was to take
}

// Stresser makes a member allocate, open descriptors, fork, spin, exit or panic from inside a task of its own.
type Stresser interface {
	Stress(ctx context.Context, slot int, s Stress) (Stressed, error)
}

// Harm is what a target does to itself, since nobody else can: faults that are about what its processes have stored and
// how they are connected.
type Harm struct {
	Kind string         // the fault's name: stepdown, amnesia, cut, slow, fill, redeliver, cancel
	Slot int            // whom it befalls; -1: the target as a whole
	PID  int            // the process in the slot; 0 for the whole
	Args map[string]any // the fault's own
}

// Harmer is a target that offers such faults.
type Harmer interface {
	// Harm does it and returns the evidence of that. Errors: *RefusedError for what this target has not or cannot;
	// *MissedError where there was nothing to harm; ErrGone if the slot's member is not PID any more.
	Harm(ctx context.Context, h Harm) (evidence map[string]string, err error)
	// Heal ends a harm that lasts, and returns what came of it meanwhile: "bytes" that were held up, what was "free
	// after".
	Heal(ctx context.Context, h Harm) (evidence map[string]string, err error)
}

// Accounting is a target that keeps its tasks in a queue, and tells what is left there.
type Accounting interface {
	// Account is as of now; nil of a target that keeps none.
	Account(ctx context.Context) (*history.Account, error)
}

// Crasher arms a crash point in a member's protocol loop: before-read, after-read, mid-exec, mid-write, after-write,
// during-drain; "none" disarms. The member writes "crash point NAME" to its stderr before it kills itself there.
// ErrGone if the slot's member is not pid any more.
type Crasher interface {
	ArmCrashPoint(ctx context.Context, slot, pid int, point string) error
}

// Poisoner runs one task that ends every member that runs it, until the target gives it up. Each that exits says so on
// its stderr first, by a line of its own: that of faults.Poison.Marker.
type Poisoner interface {
	Poison(ctx context.Context, d Deadly) (Poisoned, error)
}

// Deadly is how a task ends its member.
type Deadly struct {
	Code   int  // it exits with that code
	Memory bool // it takes memory until the kernel's OOM killer ends its member, in place of that
}

// Poisoned is what came of a deadly task.
type Poisoned struct {
	PIDs     []int  // who died of it
	Verdict  string // what the target says of the task in the end
	OOMKills int    // by the kernel's OOM killer among its members meanwhile, where it ends them by memory
}

// Booter makes the next members that start fail n times, or take at least delay. Zero values heal.
type Booter interface {
	SetBoot(fail int, delay time.Duration) error
	// Boots counts the boots that failed, and that were slow, by SetBoot so far.
	Boots() (failed, slowed int)
}

// Restarter is a target that can replace all its members by itself.
type Restarter interface {
	// Restart returns once none of the members from before is one any more.
	Restart(ctx context.Context) error
}

// Operator is the target's own life cycle, for scenarios that resize, restart or close it under fire.
type Operator interface {
	Restarter
	Resize(n int) error
	Close() error
	Terminate() error
}

// Supervised is a target whose parent process is not this one, so that it can be killed.
type Supervised interface {
	Supervisor() int // its pid
}

// Succeeded is a Supervised target whose parent can be started again after its end, beside what that has left.
type Succeeded interface {
	// Succeed starts it, waits until it has its members, has ended, or ctx is done, has look called, and ends it again
	// with all that it has started since.
	Succeed(ctx context.Context, look func()) (Succession, error)
}

// Succession is what became of a parent that was started again.
type Succession struct {
	Members int    // that it had
	Ended   string // how it ended by itself, with its last words; "" for one that ran on
}

// Mortal is a target that can end as a whole, so that there is nothing left to test: one whose parent is another
// process.
type Mortal interface {
	Gone() <-chan struct{} // closed when it has ended
	Epitaph() string       // what became of it, in one sentence; after Gone is closed
}

// Marked is a target whose every descendant carries RESPAWN_POOL=id in its environment, by which orphans are found.
type Marked interface {
	Marker() string // the id
}

// Listed is a target whose members come from listings: one that lived only between two of them is not told of.
type Listed interface {
	// Listings is when the members were listed since the last call, the last few where these are many. Times are on
	// CLOCK_MONOTONIC: see Monotonic.
	Listings() []history.Listing
}

// Numbering is a target that sends its members tasks of its own, as probes are, and numbers all that they are sent, so
// that nobody tells these from tasks of the load by their numbers. Without it the load is numbered from 1 on.
type Numbering interface {
	// Number takes n numbers in a row that no task has, and returns the first of them.
	Number(n int) (first uint64)
}

// Provable is a target that can show that its members run its tasks: with all of them stopped, none is answered. What
// is answered meanwhile it tells as an event rejected.
type Provable interface {
	// Prove sends its members tasks while they are stopped, such as that one too, which is of the load; the zero Task
	// is none. It sends none when within is over, and gives those that it has sent the time that they take.
	Prove(ctx context.Context, within time.Duration, like Task)
}

// Remarking is a target that has something to say of itself that belongs into the record of a run, such as that it
// makes do with less than it was asked for.
type Remarking interface {
	// Remarks has hear called with each, at once with those from before; nil ends that.
	Remarks(hear func(text string))
}

// Timed is a target that ends tasks that run too long.
type Timed interface {
	TaskTimeout() time.Duration // 0: it does not
}

// Stallable is a target that says within which time it detects a member that does not move.
type Stallable interface {
	Heartbeat() time.Duration
}

// Package history is the record of a run: a file of JSON Lines on one monotonic clock, written as things happen, that
// can be read again and judged at any time. It imports nothing of this module.
//
// The first line is a [Header]. Every other line is an [Event] with exactly one of its records set. The last line of a
// run that came to its end is an [End]; a history without it was cut short.
package history

import (
	"cmp"
	"time"
)

// SchemaVersion is the version of the format that is written. A reader takes this one and those before it.
const SchemaVersion = 2

// Header is the first line of a history: everything that judging needs beside the events.
type Header struct {
	SchemaVersion int                `json:"schema_version"`
	Scenario      string             `json:"scenario"`
	Description   string             `json:"description,omitempty"`
	Seed          uint64             `json:"seed"`
	Run           string             `json:"run,omitempty"`     // tells this run from every other
	Test          string             `json:"test,omitempty"`    // the test that made the run
	Command       string             `json:"command,omitempty"` // repeats the run
	Started       time.Time          `json:"started"`           // wall clock at T = 0
	Clock         int64              `json:"clock"`             // CLOCK_MONOTONIC at T = 0, in ns: the witnesses' base
	Target        Target             `json:"target"`
	Load          *Load              `json:"load,omitempty"` // nil: the target is idle
	Rules         []Rule             `json:"rules,omitempty"`
	Nemesis       []Nemesis          `json:"nemesis,omitempty"`
	Floors        map[string]float64 `json:"floors,omitempty"` // e.g. "respawn" in seconds, measured for this run
	// within which the target must recover once the faults are over; 0: not known
	Settle time.Duration `json:"settle,omitempty"`
	Cores  int           `json:"cores,omitempty"`
	// an allowlist: kernel, go, cpu, cgroup, …
	Environment map[string]string `json:"environment,omitempty"`
	// what this host offers, or why not
	Capabilities map[string]string `json:"capabilities,omitempty"`
	// the scenario's text
	Source string `json:"source,omitempty"`
	// how it was consented that processes of others are struck
	Consent string `json:"consent,omitempty"`
	// the caller made the target, not the text
	OwnTarget bool `json:"own_target,omitempty"`
	// a digest of what the text asks for: equal runs can be compared
	Experiment string `json:"experiment,omitempty"`
}

// Target describes what was tested.
type Target struct {
	Kind    string `json:"kind"` // "pool", "driver", "server", "command", "attach", "fleet"; "naive" in old histories
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Size    int    `json:"size"` // how many members it is to have
	// Most is set where the target itself changes how many members there are: they are from Size to so many.
	Most int `json:"most,omitempty"`
	// Brokers and Owners are how many of Size, those in the last slots, the owners after the brokers, run no tasks: see
	// chaos.Broker.
	Brokers int `json:"brokers,omitempty"`
	Owners  int `json:"owners,omitempty"`
	// Places is how many tasks each of the others runs at a time; 0 is one.
	Places int `json:"places,omitempty"`
	// Proof is what shows that a slot is back: "" that its process answers a task, "call" that a process is in it and
	// the target as a whole answers, "presence" that a process is in it.
	Proof string `json:"proof,omitempty"`
	// Can lists what the target tells of itself, so that the checker knows what it may ask: "events", "phases",
	// "exits", "attempts", "slots", "witness", "marker", "account".
	Can []string `json:"can,omitempty"`
	// Unprobed tells that no member can be asked for an answer, so that nothing is known of slots that answer.
	Unprobed bool `json:"unprobed,omitempty"`
}

// Workers is how many slots of the target as it was described are for members that run tasks.
func (t Target) Workers() int { return t.Size - t.Brokers - t.Owners }

// Load is what the target is to be loaded with, as the scenario states it: by it the judge knows whether there was
// enough. At most one of Concurrency and Rate is set.
type Load struct {
	Task        string  `json:"task"`
	Concurrency int     `json:"concurrency,omitempty"` // closed loop: callers with one task each at a time
	Rate        float64 `json:"rate,omitempty"`        // open loop: submissions per second
	Count       int     `json:"count,omitempty"`       // in all; 0: until the faults are over
	// Takes is how long each task takes at least; 0: not known.
	Takes time.Duration `json:"takes,omitempty"`
}

// Rule is one condition with its limit resolved to a number, so that judging again needs no host.
type Rule struct {
	Group   string        `json:"group"`          // "steady", "expect", "abort", "require"
	Text    string        `json:"text"`           // as written
	Metric  string        `json:"metric"`         // a name of check's registry
	Op      string        `json:"op"`             // == != < <= > >=
	Limit   float64       `json:"limit"`          // in the metric's unit: seconds, bytes, counts, per second
	Than    string        `json:"than,omitempty"` // instead of Limit, the metric whose value is the limit
	For     time.Duration `json:"for,omitempty"`
	Nemesis int           `json:"nemesis,omitempty"` // require: index into Header.Nemesis
}

// Nemesis is one entry of the scenario's chaos list.
type Nemesis struct {
	Fault   string `json:"fault"`             // its one-line form: "signal KILL"
	Pick    string `json:"pick,omitempty"`    // "random 1 busy"
	When    string `json:"when,omitempty"`    // "every 200ms ±20% for 10s"
	Require int    `json:"require,omitempty"` // confirmed injections without which the run proves nothing
}

// Event is one line after the header. T is the time since the start of the run; exactly one record is set.
type Event struct {
	T time.Duration `json:"t"`

	Stage   *Stage       `json:"stage,omitempty"`
	Member  *MemberEvent `json:"member,omitempty"`
	Fault   *Fault       `json:"fault,omitempty"`
	Task    *Task        `json:"task,omitempty"`
	Run     *Run         `json:"run,omitempty"`
	Probe   *Probe       `json:"probe,omitempty"`
	Sample  *Sample      `json:"sample,omitempty"`
	Host    *Host        `json:"host,omitempty"`
	Account *Account     `json:"account,omitempty"`
	Alarm   *Alarm       `json:"alarm,omitempty"`
	Note    *Note        `json:"note,omitempty"`
	End     *End         `json:"end,omitempty"`
}

// Stage says which part of the run begins. A run has them in this order and may leave some out:
//
//	boot    the target starts
//	warmup  load, not measured
//	steady  until the steady conditions hold; latency and throughput "before" come from here
//	chaos   faults; "during"
//	settle  until the steady conditions hold again and every death's slot answered its probe; "after"
//	verify  no load any more; a probe to every slot, a last Sample
//	stop    the target ends: exits from here on are nobody's fault; a Sample once it is gone shows what it left behind
type Stage struct {
	Name StageName `json:"name"`
}

// MemberEvent is one event in the life of a target's member.
type MemberEvent struct {
	Op   MemberOp `json:"op"`
	Slot int      `json:"slot"`
	Gen  int      `json:"gen,omitempty"`
	PID  int      `json:"pid,omitempty"`
	Name string   `json:"name,omitempty"`
	// why the target itself ended it: stop, recycle, restart, timeout, boot, …
	Reason string `json:"reason,omitempty"`
	Exit   *Exit  `json:"exit,omitempty"` // exited, unlisted
	// Task is the target's own number of it for requeued, lost and late; for answered-twice, probed and probe-answered
	// the one that it was submitted with. PID is, for probe-answered, the process that the answer names.
	Task   uint64 `json:"task,omitempty"`
	Blamed bool   `json:"blamed,omitempty"` // requeued
	Err    string `json:"err,omitempty"`
	// At is when the target says that it happened, if that is not when it was written.
	At time.Duration `json:"at,omitempty"`
}

// Exit is how a member ended.
type Exit struct {
	Code   int    `json:"code"`             // -1 when a signal ended it
	Signal string `json:"signal,omitempty"` // SIGKILL, …
	Kind   string `json:"kind,omitempty"`   // as the target classifies it: clean, ours, crashed, oom, killed, unknown
	OOM    string `json:"oom,omitempty"`    // its evidence
	Task   uint64 `json:"task,omitempty"`   // the task it was running
	Tasks  int    `json:"tasks,omitempty"`  // settled in its life
	Stderr string `json:"stderr,omitempty"` // the tail
	MaxRSS int64  `json:"max_rss,omitempty"`
}

// Victim is a member as it was when it was picked, or the target's parent process.
type Victim struct {
	Slot  int    `json:"slot"` // -1: the parent, whose death explains every exit that follows
	Gen   int    `json:"gen,omitempty"`
	PID   int    `json:"pid"`
	Name  string `json:"name,omitempty"`
	Phase string `json:"phase,omitempty"`
	Call  string `json:"call,omitempty"` // the system call that it had last entered when it was struck
	Rank  int    `json:"rank"`           // its place among those that could be picked, for replay
}

// Fault is one step in the life of one injection. It explains the end of its victim, until it is healed or confirmed
// not to have been fatal. One without a victim (resize, restart, close, spawn, poison) is aimed at the whole target:
// until it is healed, or settled if there is nothing to heal, it explains the exits whose reason it names, and those
// its receipt lists; and whenever they come, those that have its marker.
type Fault struct {
	N       int           `json:"n"`       // the injection's number, from 1; one victim each
	Nemesis int           `json:"nemesis"` // index into Header.Nemesis
	Op      FaultOp       `json:"op"`
	Fault   string        `json:"fault,omitempty"`
	Victim  *Victim       `json:"victim,omitempty"`
	Outcome FaultOutcome  `json:"outcome,omitempty"` // settled
	Receipt *Receipt      `json:"receipt,omitempty"` // settled
	Fatal   bool          `json:"fatal,omitempty"`   // the victim is dead of it
	Due     time.Duration `json:"due,omitempty"`     // when the plan wanted it
	// injected, without a victim: the reasons that members end for because of it
	Ends   []string `json:"ends,omitempty"`
	Closes bool     `json:"closes,omitempty"` // injected, without a victim: the target is to take no more tasks
	Leads  bool     `json:"leads,omitempty"`  // injected, without a victim: which broker leads is to change
	// injected, without a victim: the line on the stderr of members that die of it
	Marker string `json:"marker,omitempty"`
	Err    string `json:"err,omitempty"`
}

// Receipt is the evidence that an injection really happened.
type Receipt struct {
	// where the evidence comes from: "wait status", "pidfd exit info", "pidfd readable", "cgroup oom_kill", "/proc
	// state", …
	Tier string `json:"tier"`
	// facts by name
	Evidence map[string]string `json:"evidence"`
	// when it took effect: of a fatal one, the death
	At time.Duration `json:"at,omitempty"`
	// of a fault without a victim, the members that it ended
	PIDs []int `json:"pids,omitempty"`
	// of several: "cgroup v1", "cgroup v2", "RLIMIT_DATA", "RSS"
	Mechanism string `json:"mechanism,omitempty"`
}

// ToldByTarget is the tier of what only the target can know, that harms itself: its word is the one witness.
const ToldByTarget = "the target's own count"

// NewParent is the fact of a receipt that tells what became of a target's parent which was started again after its end.
const NewParent = "a new one"

// Task is a submission or its end.
type Task struct {
	ID       uint64        `json:"id"`
	Op       TaskOp        `json:"op"`
	Outcome  Outcome       `json:"outcome,omitempty"`
	Latency  time.Duration `json:"latency,omitempty"`
	Attempts int           `json:"attempts,omitempty"`
	PID      int           `json:"pid,omitempty"`
	Err      string        `json:"err,omitempty"`
}

// Run is one execution of a task as the task itself witnessed it, in the append-only file: the pool is not asked.
type Run struct {
	Task    uint64        `json:"task"`
	Attempt int           `json:"attempt,omitempty"`
	PID     int           `json:"pid"`
	Start   time.Duration `json:"start"`
	End     time.Duration `json:"end,omitempty"` // 0: it never ended
}

// Probe is a task sent to one slot to see whether it answers; or one of those that are sent to all slots at once, to
// see whether they work at the same time.
type Probe struct {
	Slot int     `json:"slot"` // AnySlot: one of those sent at once; InQueue: one of several for each slot
	Op   ProbeOp `json:"op"`
	For  int     `json:"for,omitempty"` // the injection after whose death it was sent; 0: the check at the end
	PID  int     `json:"pid,omitempty"` // who answered
	Err  string  `json:"err,omitempty"`
	// Task and Hold are of those for no slot: the number by which the witness knows it, and how long it lasts at least.
	Task uint64        `json:"task,omitempty"`
	Hold time.Duration `json:"hold,omitempty"`
}

// AnySlot stands in Probe.Slot for a task that any member may run, beside others.
const AnySlot = -1

// InQueue stands in Probe.Slot for one of the tasks that are sent at once, Depth for each slot, to see how quickly they
// are done.
const InQueue = -2

// Sample is a look at the target from outside, and at the harness.
type Sample struct {
	Want     int `json:"want"`
	Ready    int `json:"ready"` // as the target says
	Alive    int `json:"alive"` // members' pids that are alive by /proc
	Starting int `json:"starting,omitempty"`
	// children and descendants in state Z
	Zombies int `json:"zombies,omitempty"`
	// marked processes that are no member's
	Orphans int `json:"orphans,omitempty"`
	// processes of the target that descend from no member, its parent not counted
	Others int `json:"others,omitempty"`
	// of those, the ones that ran on when the target was closed, and were ended
	Left int `json:"left,omitempty"`
	// of the members, in bytes
	RSS       int64 `json:"rss,omitempty"`
	ParentRSS int64 `json:"parent_rss,omitempty"`
	// of the parent
	FDs int `json:"fds,omitempty"`
	// of the parent; 0: not known
	Goroutines int `json:"goroutines,omitempty"`
	// of the members, since their start
	CPU time.Duration `json:"cpu,omitempty"`
	// of ours that exist
	Cgroups int `json:"cgroups,omitempty"`
	// kills that may have hit members beside the faults': the enclosing group's oom_kill
	HostOOM int64 `json:"host_oom,omitempty"`
	// of the members since the last sample, where these come from listings
	Listings []Listing `json:"listings,omitempty"`
}

// Account is what a fleet tells of its tasks once the load is over: what of them is still somewhere, and what its
// owner, the process that submitted them, has had to do for them.
type Account struct {
	Stored int `json:"stored"` // tasks of the owner's that the brokers keep
	// that the brokers have handed out and nobody has acknowledged; not told where other owners have some
	Pending   int `json:"pending"`
	Held      int `json:"held"`      // of the owner's that nodes say they have
	Unsettled int `json:"unsettled"` // that the owner has
	Repaired  int `json:"repaired"`  // times that the owner has stored a task again, since the brokers had lost it
	// results that it refused: of tasks that had settled, or from a node that had no right to them
	Stale     int `json:"stale"`
	Abandoned int `json:"abandoned"` // tasks that it gave up
}

// Left is how many tasks are left somewhere, at least: one may be in several places.
func (a *Account) Left() int { return max(a.Stored, a.Pending, a.Held, a.Unsettled) }

// Listing is when the members were listed: who lived only between two is not told of.
type Listing struct {
	Asked    time.Duration `json:"asked"`
	Answered time.Duration `json:"answered"`
}

// Host is a look at what the host gave to the harness and the target, and to others, over a time that ends at T. CPU
// times are those of all CPUs that the harness may run on.
type Host struct {
	Over time.Duration `json:"over"` // how long the look lasted
	// that the harness may run on; 0: nothing below is known but Late, Pressure and Limit
	CPUs int `json:"cpus"`
	// Late is how much later than it should have the canary woke, once for each time that it slept: a goroutine of the
	// harness that does nothing else.
	Late []time.Duration `json:"late,omitempty"`
	// CPU time of the harness, the target and what descends from either
	Own    time.Duration `json:"own"`
	Others time.Duration `json:"others,omitempty"` // of everybody else that does not give way (a nice value above 0)
	// that a hypervisor gave to other machines, or for which this one stood still
	Stolen time.Duration `json:"stolen,omitempty"`
	Idle   time.Duration `json:"idle,omitempty"` // not used, or by what gives way
	// Pressure is for how long some task that could have run waited for a CPU; -1: the kernel does not tell.
	Pressure time.Duration `json:"pressure"`
	Limit    *CPULimit     `json:"limit,omitempty"` // the one that was felt most; nil: there is none
	// Floors are the floors measured once more when the target is gone, in seconds: see Header.Floors.
	Floors map[string]float64 `json:"floors,omitempty"`
}

// CPULimit is a limit on the CPU time of a control group that the harness is in.
type CPULimit struct {
	CPUs      float64 `json:"cpus"`                // how many CPUs' time the group may use
	Periods   int64   `json:"periods,omitempty"`   // of the look, in which the group wanted to run
	Throttled int64   `json:"throttled,omitempty"` // of these, in which it was stopped
	// CPU time of those in the group that are not Own; 0 where it is not known
	Others time.Duration `json:"others,omitempty"`
}

// Alarm is why a run ended early: an abort condition that tripped, an interruption, want of time, a target that ended
// as a whole.
type Alarm struct {
	Kind AlarmKind `json:"kind"`
	Rule string    `json:"rule,omitempty"` // abort: the condition that held, as Rule.Text has it
	Text string    `json:"text,omitempty"` // the others: why, for people
}

// String is the alarm in a line.
func (a Alarm) String() string { return string(a.Kind) + ": " + cmp.Or(a.Rule, a.Text) }

// Note is something for people, or a fact about the record itself.
type Note struct {
	Text    string `json:"text"`
	Dropped uint64 `json:"dropped,omitempty"` // events that were lost: the run proves nothing then
	Torn    int    `json:"torn,omitempty"`    // lines of the witness that are not whole: executions may be missing
}

// End is the last line.
type End struct {
	Events  int  `json:"events"` // lines before this one, the header not counted
	Aborted bool `json:"aborted,omitempty"`
	// Sum is the CRC-32C, as eight hexadecimal digits, of all lines before this one, each with its newline, and then of
	// this one's t, events and aborted: "1500 12 false". It finds accidents and careless hands; who means to deceive
	// can compute it.
	Sum string `json:"sum"`
}

package history

// The words of the records. A word that is not among them is kept as it was read, and says nothing to the judge.

// StageName is the name of a part of a run.
type StageName string

// The stages, in their order: see [Stage].
const (
	Boot   StageName = "boot"
	Warmup StageName = "warmup"
	Steady StageName = "steady"
	Chaos  StageName = "chaos"
	Settle StageName = "settle"
	Verify StageName = "verify"
	Stop   StageName = "stop"
)

// MemberOp is what happened to a member, or what the target tells of its tasks and of itself.
type MemberOp string

// What a target can tell.
const (
	Started       MemberOp = "started"
	Ready         MemberOp = "ready"
	Retiring      MemberOp = "retiring" // takes no more tasks, and will end
	Exited        MemberOp = "exited"
	Unlisted      MemberOp = "unlisted"    // ended before a listing could name it
	Quarantined   MemberOp = "quarantined" // could not be ended, and is given up
	BootFailed    MemberOp = "boot-failed"
	BreakerOpened MemberOp = "breaker-opened"
	BreakerClosed MemberOp = "breaker-closed"
	Requeued      MemberOp = "requeued"       // a task whose member ended is to run again
	TaskLost      MemberOp = "lost"           // or is given up
	Late          MemberOp = "late"           // an answer to a task that was settled already
	AnsweredTwice MemberOp = "answered-twice" // a second answer to one submission
	Unanswered    MemberOp = "unanswered"
	BadAnswer     MemberOp = "rejected" // an answer that the target did not take
	Probed        MemberOp = "probed"
	ProbeAnswered MemberOp = "probe-answered"
)

// FaultOp is a step in the life of an injection.
type FaultOp string

// The steps, in their order.
const (
	Planned    FaultOp = "planned"
	Injected   FaultOp = "injected"
	Concluded  FaultOp = "settled" // it has its outcome
	Healed     FaultOp = "healed"
	HealFailed FaultOp = "heal-failed"
)

// FaultOutcome is what became of an injection.
type FaultOutcome string

// The outcomes of injections.
const (
	Confirmed   FaultOutcome = "confirmed"    // a receipt proves it
	AlreadyGone FaultOutcome = "already_gone" // its victim had ended before
	Refused     FaultOutcome = "refused"      // the host or the scenario does not allow it
	Unconfirmed FaultOutcome = "unconfirmed"  // it was done, and nothing proves its effect
	Missed      FaultOutcome = "missed"       // it found no victim in time
)

// TaskOp is a step in the life of a submission.
type TaskOp string

// The steps of a submission.
const (
	Submitted TaskOp = "submitted"
	Settled   TaskOp = "settled"
)

// ProbeOp is a step of a probe.
type ProbeOp string

// The steps of a probe.
const (
	Sent     ProbeOp = "sent"
	Answered ProbeOp = "answered"
	NoAnswer ProbeOp = "failed"
)

// AlarmKind is why a run ended early.
type AlarmKind string

// The kinds of alarms.
const (
	AlarmAbort     AlarmKind = "abort"     // an abort condition held
	AlarmInterrupt AlarmKind = "interrupt" // a person or a signal
	AlarmTimeout   AlarmKind = "timeout"   // the run took too long
	AlarmError     AlarmKind = "error"     // the harness broke
	AlarmGone      AlarmKind = "gone"      // the target ended as a whole, by itself
)

// Outcome is how a submission ended for its submitter.
type Outcome string

// The outcomes. A submission without any is lost.
const (
	OK       Outcome = "ok"
	Wrong    Outcome = "wrong"    // a value, but not the right one
	Failed   Outcome = "failed"   // an error that says why
	Lost     Outcome = "lost"     // an error that says that its worker was lost
	Hung     Outcome = "hung"     // nothing by the end of the run
	Rejected Outcome = "rejected" // never accepted: closed, queue full
)

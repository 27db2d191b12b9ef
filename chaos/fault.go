package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/stack"
)

// Fault is one kind of harm with its parameters: a value such as Signal{Name: "KILL"} or Pause{For: time.Second}. It is
// immutable and can be injected any number of times, also at once. Those that are built in are in chaos/faults:
// faults.Kinds lists them.
type Fault interface {
	// String is its one-line form for people and for replay, with every parameter that is not left to its default:
	// "signal KILL", "pause 1s".
	String() string
	// Validate says what is wrong with its parameters, and what would be right.
	Validate() error
	// Traits are what else there is to know of it.
	Traits() Traits
	// Begin makes the state of one injection.
	Begin() Injection
}

// Traits are what a run and its judge have to know of a fault beside what its injections do. The zero value is that of
// a fault which strikes a member, whatever that one is doing, and takes nothing else of the target.
type Traits struct {
	// Whole tells that it befalls the target as a whole: nobody is picked for it.
	Whole bool
	// Ends are the reasons for which the target ends members by itself because of a fault on the whole: those of
	// history.MemberEvent. "boot" stands for members that end before they are ready, whatever the target says of them.
	Ends []string
	// Marker is the line that each member which dies by itself of a fault on the whole writes to its stderr first; ""
	// for none.
	Marker string
	// Resizes tells that the target is to have Leaves members afterwards, 0 of one that it ends.
	Resizes bool
	Leaves  int
	// Abandons tells that tasks which are going on come to no end because of it.
	Abandons bool
	// Leads tells that it changes which broker of the target leads: who waits for an outcome may wait for that.
	Leads bool
	// EndsParent tells that it ends the parent of all members.
	EndsParent bool
	// Phase is the one in which a victim must be hit, in place of the pick's; "" for the pick's.
	Phase string
	// StaysStopped tells that its injections stop their victim and want it to stay so for a while, so that one that was
	// hit in a phase is not continued.
	StaysStopped bool
	// Idle tells that it does nothing to whoever does not ask for it, so that it shows little when it has happened.
	Idle bool
	// OpenEnded tells that it lasts until the other faults are over.
	OpenEnded bool
}

// Injection is one fault on its way through its life. Its steps are called one after the other from one goroutine:
//
//	Setup ──ok──▶ Inject ──ok──▶ Confirm ──▶ Heal ──▶ Cleanup
//	  │             │                         ▲         ▲
//	  │             └── error, panic, cancel ─┘         │
//	  └──────────────── error, panic, cancel ───────────┘
//
// Heal always follows Inject and Cleanup always follows Setup, whatever happened in between, an error, a panic, an
// abort condition or an interruption. They get a context that is not cancelled with the run. The outcome is decided by
// the first error: none gives Confirmed; [ErrGone] AlreadyGone; a *[RefusedError] Refused; a *[MissedError] Missed; any
// other Unconfirmed. Embed [Steps] for the steps that a fault does not need.
type Injection interface {
	// Setup prepares what the injection needs and finds out whether it is possible at all. Nothing is harmed yet.
	Setup(ctx context.Context, c *Case) error
	// Inject does the harm.
	Inject(ctx context.Context, c *Case) error
	// Confirm gathers the evidence that it really happened, for as long as the fault lasts.
	Confirm(ctx context.Context, c *Case) (history.Receipt, error)
	// Heal takes the harm back, where it lasts. A harness that cannot heal fails the run with ERROR.
	Heal(ctx context.Context, c *Case) error
	// Cleanup removes what Setup made.
	Cleanup(ctx context.Context, c *Case) error
}

// Steps is embedded in injections for the steps that they leave out.
type Steps struct{}

// Setup does nothing.
func (Steps) Setup(context.Context, *Case) error { return nil }

// Heal has nothing to heal.
func (Steps) Heal(context.Context, *Case) error { return ErrNothingToHeal }

// Cleanup does nothing.
func (Steps) Cleanup(context.Context, *Case) error { return nil }

// ErrNothingToHeal is what Heal returns when there is nothing to take back: it keeps "healed" out of the history of
// faults that cannot be taken back.
var ErrNothingToHeal = errors.New("nothing to heal")

// Outcome is how an injection ended.
type Outcome = history.FaultOutcome

// The outcomes of an injection.
const (
	Confirmed   = history.Confirmed   // evidence shows that it happened
	AlreadyGone = history.AlreadyGone // the victim ended before it took effect
	Refused     = history.Refused     // no privilege, not supported, min_alive reached, nothing to change
	Unconfirmed = history.Unconfirmed // no evidence, or evidence of something else
	Missed      = history.Missed      // no victim was in the wanted state or phase
)

// ErrGone says that the victim ended before the fault took effect.
var ErrGone = errors.New("the victim was gone before the fault took effect")

// RefusedError says why an injection was not attempted.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// Refuse is the error of a step for which the target, the host or the harness lacks what it takes.
func Refuse(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// MissedError says why no victim was hit.
type MissedError struct{ Reason string }

func (e *MissedError) Error() string { return e.Reason }

// PanicError is a step of an injection that panicked: a mistake in the harness.
type PanicError struct {
	Step  string
	Value any
	Stack string
}

func (e *PanicError) Error() string { return fmt.Sprintf("%s panicked: %v", e.Step, e.Value) }

// OutcomeOf is the outcome of an injection by the first error of its steps; nil for none.
func OutcomeOf(err error) Outcome {
	var refused *RefusedError
	var missed *MissedError
	switch {
	case err == nil:
		return Confirmed
	case errors.Is(err, ErrGone):
		return AlreadyGone
	case errors.As(err, &refused):
		return Refused
	case errors.As(err, &missed):
		return Missed
	}
	return Unconfirmed
}

// healTimeout bounds Heal and Cleanup.
const healTimeout = 10 * time.Second

// live leads an injection through its life. settled is called between Confirm and Heal, with what Confirm found; the
// error it returns is Heal's and Cleanup's.
func live(ctx context.Context, inj Injection, c *Case, settled func(history.Receipt, error)) (healErr error) {
	var receipt history.Receipt
	injected := false
	err := step("setup", func() error { return inj.Setup(ctx, c) })
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		injected = true
		err = step("inject", func() error { return inj.Inject(ctx, c) })
	}
	if err == nil {
		err = step("confirm", func() (err error) { receipt, err = inj.Confirm(ctx, c); return err })
	}
	settled(receipt, err)

	healing, cancel := context.WithTimeout(context.WithoutCancel(ctx), healTimeout)
	defer cancel()
	if injected {
		healErr = step("heal", func() error { return inj.Heal(healing, c) })
	} else {
		healErr = ErrNothingToHeal
	}
	cleanErr := step("cleanup", func() error { return inj.Cleanup(healing, c) })
	if cleanErr != nil && errors.Is(healErr, ErrNothingToHeal) {
		return cleanErr
	}
	return errors.Join(healErr, cleanErr)
}

// step calls one step and turns its panic into an error.
func step(name string, do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Step: name, Value: v, Stack: stack.Trace()}
		}
	}()
	return do()
}

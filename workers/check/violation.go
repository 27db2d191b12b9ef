package check

import (
	"fmt"
	"sync"
)

// Kind is a way to break the protocol.
type Kind string

// The kinds of violations.
const (
	Rubbish       Kind = "rubbish"        // what is no frame, on the task socket
	BadField      Kind = "bad field"      // a field of a frame that must have another value
	BadJSON       Kind = "bad JSON"       // JSON that is not what the page says
	OtherProtocol Kind = "other protocol" // speaks another number, or does not mind one that it does not know
	ForeignPID    Kind = "foreign pid"    // the worker is not the process that was started
	Refused       Kind = "refused"        // cannot prepare itself
	LacksTasks    Kind = "lacks tasks"    // has not the tasks by which a worker is proved
	Died          Kind = "died"           // ended without being asked to
	NoAnswer      Kind = "no answer"      // nothing in time
	WrongKind     Kind = "wrong kind"     // an answer of another kind than the task must have
	WrongValue    Kind = "wrong value"    // a value that is not the task's
	WrongTime     Kind = "wrong time"     // a run time that cannot be
	Unasked       Kind = "unasked"        // an answer to what is not at the worker
	AnsweredTwice Kind = "answered twice" // a second answer to a task
	NoTicket      Kind = "no ticket"      // ran a task without taking its ticket
	TakenBack     Kind = "taken back"     // ran a task that had been taken back
	Hoards        Kind = "hoards tickets" // takes tickets before it is about to run their tasks
	TornTicket    Kind = "torn ticket"    // read a part of a ticket
	ForgedTicket  Kind = "forged ticket"  // wrote into the pipe of tickets
	HoldsBack     Kind = "holds back"     // keeps answers while a long task runs, or while it waits
	Deaf          Kind = "deaf"           // does not do what it is told by an order or a signal
	ExitCode      Kind = "exit code"      // ends with another code than it should
	Lingers       Kind = "lingers"        // lives on when it should have ended
	ChildrenLeft  Kind = "children left"  // ended and left processes behind
	TwoWorkers    Kind = "two workers"    // a child that a handler forked went on as a worker
	Overwrites    Kind = "overwrites"     // writes to shared memory that was not given back
	KeepsView     Kind = "keeps a view"   // goes on though a handler has a view of what is the next argument's memory
	Leaks         Kind = "leaks"          // its descriptors or its marker reach what it starts
	WrongWitness  Kind = "wrong witness"  // does not tell what it executes as scenarios want it
	Silenced      Kind = "silenced"       // what handlers print does not reach its output
)

// Violation is one thing that a worker did wrong.
type Violation struct {
	Kind Kind `json:"kind"`
	// Frame is the frame from the worker that shows it, from 1 with each start of the worker; 0 when none does.
	Frame int `json:"frame,omitempty"`
	// Rule is the part of docs/wire.md that says what would be right.
	Rule string `json:"rule"`
	// Text says what was wrong and what would be right.
	Text string `json:"text"`
}

func (v *Violation) Error() string {
	where := ""
	if v.Frame > 0 {
		where = fmt.Sprintf("frame %d: ", v.Frame)
	}
	return fmt.Sprintf("%s%s: %s (docs/wire.md, %q)", where, v.Kind, v.Text, v.Rule)
}

// The headings of docs/wire.md.
const (
	ruleStart   = "What a worker starts with"
	ruleFrames  = "Frames"
	ruleJSON    = "JSON"
	ruleLarge   = "Large payloads"
	ruleTickets = "Tickets"
	ruleOrders  = "Orders"
	ruleEnds    = "How it ends"
	ruleSeeTo   = "What to see to"
	ruleProved  = "To be proved"

	ruleScenarios = "Scenarios"
)

const keptViolations = 100

// violations keeps the first ones. Safe for concurrent use.
type violations struct {
	mu   sync.Mutex
	kept []*Violation
}

func (l *violations) add(kind Kind, frame int, rule, format string, args ...any) *Violation {
	v := &Violation{kind, frame, rule, fmt.Sprintf(format, args...)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) < keptViolations {
		l.kept = append(l.kept, v)
	}
	return v
}

// take returns those that are kept, in order, and forgets them.
func (l *violations) take() []*Violation {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.kept
	l.kept = nil
	return kept
}

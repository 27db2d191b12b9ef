package driver

import (
	"fmt"
	"strconv"
	"sync"
)

// Kind is a way to break the protocol.
type Kind string

// The kinds of violations.
const (
	Rubbish       Kind = "rubbish"        // a line that is no JSON object
	TooLong       Kind = "too long"       // a line of more than MaxLine bytes
	UnknownOp     Kind = "unknown op"     // an op that the protocol does not have
	BadField      Kind = "bad field"      // a field that is missing or makes no sense
	UnknownID     Kind = "unknown id"     // an answer to a task that was never submitted
	AnsweredTwice Kind = "answered twice" // a second answer to a task
	Unasked       Kind = "unasked"        // an answer to no request
	Flood         Kind = "flood"          // far more output than anybody asked for
	NoAnswer      Kind = "no answer"      // nothing in time
	Deaf          Kind = "deaf"           // does not read its input
	Mute          Kind = "mute"           // closed its output and lives on
	Died          Kind = "died"           // ended without being asked to
	ForeignPID    Kind = "foreign pid"    // names a process that is not its own as a worker
	Refused       Kind = "refused"        // answered with an error where it must be able to
	WrongValue    Kind = "wrong value"    // a value that is not the task's
	TaskFailed    Kind = "task failed"    // an error in place of a value, though nothing happened to the workers
	TaskLost      Kind = "task lost"      // no outcome, though nothing happened to the workers and a later task had one
	Pretence      Kind = "pretence"       // answered in the name of workers that cannot have
	Lingers       Kind = "lingers"        // lives on when it should have ended
	ChildrenLeft  Kind = "children left"  // ended and left processes behind
)

// Violation is one thing that a driver did wrong.
type Violation struct {
	Kind Kind `json:"kind"`
	// Line is the line of the driver's output that shows it, from 1; 0 when none does.
	Line int `json:"line,omitempty"`
	// Op is the request or the answer that it is about; "" when it is about none.
	Op string `json:"op,omitempty"`
	// Text says what was wrong and what would be right.
	Text string `json:"text"`
	// Task is the task that was answered twice; 0 for any other violation.
	Task uint64 `json:"task,omitempty"`
}

func newViolation(kind Kind, line int, op, text string) *Violation {
	return &Violation{Kind: kind, Line: line, Op: op, Text: text}
}

func (v *Violation) Error() string {
	where := ""
	if v.Line > 0 {
		where = "output line " + strconv.Itoa(v.Line) + ": "
	}
	if v.Op != "" {
		where += v.Op + ": "
	}
	return fmt.Sprintf("%s%s: %s", where, v.Kind, v.Text)
}

const (
	keptViolations = 100
	// maxViolations is how often a driver may break the protocol before it is ended: what it says is noise by then.
	maxViolations = 10_000
)

// violations keeps the first ones and counts all. Safe for concurrent use.
type violations struct {
	mu    sync.Mutex
	kept  []*Violation
	total int
}

// add returns how many there are now, and whether this one was kept.
func (l *violations) add(v *Violation) (total int, kept bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if kept = len(l.kept) < keptViolations || v.Kind == Flood; kept {
		l.kept = append(l.kept, v)
	}
	l.total++
	return l.total, kept
}

// list returns those that are kept, in order.
func (l *violations) list() []*Violation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Violation(nil), l.kept...)
}

package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/respawn-go/respawn/internal/conformance"
)

// Answer is what a driver said of a task that succeeded.
type Answer struct {
	// Value is the task's value, as JSON.
	Value json.RawMessage
	// PID is the process that says it ran the task; 0 when the driver does not tell.
	PID int
	// Line is the line of the driver's output that says so.
	Line int
}

// Future is a submitted task. Safe for concurrent use.
type Future struct {
	id     uint64
	job    job // of a built-in task
	done   chan struct{}
	answer Answer
	err    error
}

// Done is closed when the task has its outcome.
func (f *Future) Done() <-chan struct{} { return f.done }

// Result waits for the outcome. Errors: [*TaskError]; [*Violation] of an answer that makes no sense; [*GoneError];
// [ErrClosed]; ctx's error, and then the task goes on.
func (f *Future) Result(ctx context.Context) (Answer, error) {
	select {
	case <-f.done:
		return f.answer, f.err
	default:
	}
	select {
	case <-f.done:
		return f.answer, f.err
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// settle may be called once.
func (f *Future) settle(a Answer, err error) {
	f.answer, f.err = a, err
	close(f.done)
}

// TaskError is the error that the pool behind the driver gave for a task.
type TaskError struct{ Text string }

func (e *TaskError) Error() string { return e.Text }

// GoneError says that the driver's process ended, or had to be ended, without being asked to stop.
type GoneError struct {
	Violation *Violation
	// Stderr is the end of what it wrote to its standard error.
	Stderr string
}

func (e *GoneError) Error() string {
	return "driver: " + e.Violation.Error() + e.words()
}

// Headline says what became of the driver of that pool, with its last words.
func (e *GoneError) Headline(pool string) string {
	how := "was ended: " + e.Violation.Error()
	if e.Violation.Kind == Died {
		how = "died: " + e.Violation.Text
	}
	return fmt.Sprintf("the driver of %s %s%s", conformance.Plain(pool), how, e.words())
}

func (e *GoneError) words() string {
	if words := lastWords(e.Stderr); words != "" {
		return "; its last words: " + quote([]byte(words))
	}
	return ""
}

func (e *GoneError) Unwrap() error { return e.Violation }

// outcry tells whether a runtime names what it dies of in a line: an error or exception of Python or Node, a panic of
// Go.
func outcry(line string) bool {
	line = strings.TrimPrefix(line, "Uncaught ")
	end := strings.IndexFunc(line,
		func(r rune) bool { return r != '.' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		end = len(line)
	}
	name := line[:end]
	return strings.HasSuffix(name, "Error") || strings.HasSuffix(name, "Exception") ||
		strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}

// lastWords is the line of a driver's standard error that is most likely to say why it ended: the last outcry, else the
// last.
func lastWords(s string) (words string) {
	for line := range strings.Lines(strings.TrimRight(s, "\r\n \t")) {
		if line = strings.TrimRight(line, "\r\n"); outcry(line) || !outcry(words) {
			words = line
		}
	}
	return words
}

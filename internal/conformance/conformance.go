// Package conformance is the report of a check of a program against a protocol, step by step.
package conformance

import (
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/units"
)

// Step is one part of a check. V is a breach of the protocol.
type Step[V error] struct {
	Name  string `json:"name"`
	Found []V    `json:"found,omitempty"`
	// Notes are no breaches, but limit what can be done with the program.
	Notes []string `json:"notes,omitempty"`
	// Skipped says why the step was not tried; "" when it was.
	Skipped string        `json:"skipped,omitempty"`
	Took    time.Duration `json:"took_ns"`
}

// Steps are a whole check, in order.
type Steps[V error] []Step[V]

// OK tells whether every step was tried and found nothing. A check without steps is not.
func (list Steps[V]) OK() bool {
	for _, s := range list {
		if len(s.Found) > 0 || s.Skipped != "" {
			return false
		}
	}
	return len(list) > 0
}

// Violations lists everything that was found, in order.
func (list Steps[V]) Violations() (all []V) {
	for _, s := range list {
		all = append(all, s.Found...)
	}
	return all
}

// String is for people: a line a step, and below it a line for each thing that is wrong, of many the first ten.
func (list Steps[V]) String() string {
	const most = 10
	var b strings.Builder
	for _, s := range list {
		switch {
		case s.Skipped != "":
			fmt.Fprintf(&b, "  skip  %-16s %s\n", s.Name, s.Skipped)
		case len(s.Found) > 0:
			fmt.Fprintf(&b, "  FAIL  %s\n", s.Name)
		default:
			fmt.Fprintf(&b, "  ok    %-16s %7s\n", s.Name, units.Duration(s.Took.Round(time.Millisecond)))
		}
		for _, v := range s.Found[:min(len(s.Found), most)] {
			b.WriteString(Quote(v.Error()))
		}
		if more := len(s.Found) - most; more > 0 {
			b.WriteString(Quote(fmt.Sprintf("… and %d more", more)))
		}
		for _, n := range s.Notes {
			b.WriteString(Quote("note: " + n))
		}
	}
	return b.String()
}

// Quote is a line below another, with Plain text.
func Quote(line string) string { return "        " + Plain(line) + "\n" }

// QuoteEnd quotes the last lines of a text, at most so many.
func QuoteEnd(text string, most int) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for _, line := range lines[max(0, len(lines)-most):] {
		b.WriteString(Quote(strings.TrimRight(line, "\r")))
	}
	return b.String()
}

// Plain makes text of a stranger safe to print: no control characters, so nothing that steers a terminal or starts a
// line.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

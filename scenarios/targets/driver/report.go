package driver

import (
	"fmt"
	"strings"

	"github.com/respawn-go/respawn/internal/conformance"
)

// Report is what a conformance check found.
type Report struct {
	Argv  []string                      `json:"argv"`
	Hello Hello                         `json:"hello"`
	Steps conformance.Steps[*Violation] `json:"steps"`
	// Stderr is the end of what the driver wrote to its standard error.
	Stderr string `json:"stderr,omitempty"`
}

// Step is one part of the check. Its notes limit what a run with the driver can show.
type Step = conformance.Step[*Violation]

// OK tells whether the driver keeps the whole protocol.
func (r Report) OK() bool { return r.Steps.OK() }

// Violations lists everything that was found, in order.
func (r Report) Violations() []*Violation { return r.Steps.Violations() }

// Count is how many things were found.
func (r Report) Count() int { return len(r.Violations()) }

// String is the report for people.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "driver check: %s\n", strings.Join(r.Argv, " "))
	if r.Hello.Name != "" {
		b.WriteString(conformance.Plain(fmt.Sprintf("%s %s (can: %s)", r.Hello.Name, r.Hello.Version,
			strings.Join(r.Hello.Can, ", "))) + "\n")
	}
	b.WriteString(r.Steps.String())
	if !r.OK() && r.Stderr != "" {
		b.WriteString("its standard error ended with:\n")
		tail := conformance.QuoteEnd(r.Stderr, 10)
		if words := conformance.Quote(lastWords(r.Stderr)); !strings.Contains(tail, words) {
			// above the trace that follows it
			b.WriteString(words + conformance.Quote("…"))
		}
		b.WriteString(tail)
	}
	return b.String()
}

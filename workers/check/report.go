package check

import (
	"fmt"
	"strings"

	"github.com/respawn-go/respawn/internal/conformance"
)

// Report is what a conformance check found.
type Report struct {
	Argv  []string                      `json:"argv"`
	Steps conformance.Steps[*Violation] `json:"steps"`
	// Stderr is the end of what the worker printed.
	Stderr string `json:"stderr,omitempty"`
}

// Step is one part of the check. Its notes limit what the pool, or the check, can do.
type Step = conformance.Step[*Violation]

// OK tells whether the worker keeps the whole protocol.
func (r Report) OK() bool { return r.Steps.OK() }

// Violations lists everything that was found, in order.
func (r Report) Violations() []*Violation { return r.Steps.Violations() }

// Count is how many things were found.
func (r Report) Count() int { return len(r.Violations()) }

// String is the report for people.
func (r Report) String() string {
	text := fmt.Sprintf("worker check: %s\n%s", strings.Join(r.Argv, " "), r.Steps)
	if !r.OK() && r.Stderr != "" {
		text += "what it printed ended with:\n" + conformance.QuoteEnd(r.Stderr, 12)
	}
	return text
}

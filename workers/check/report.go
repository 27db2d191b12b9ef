package check

import (
	"fmt"
	"strings"
	"time"
)

// Report is what a conformance check found.
type Report struct {
	Argv  []string `json:"argv"`
	Steps []Step   `json:"steps"`
	// Stderr is the end of what the worker printed.
	Stderr string `json:"stderr,omitempty"`
}

// Step is one part of the check.
type Step struct {
	Name  string       `json:"name"`
	Found []*Violation `json:"found,omitempty"`
	// Notes are no breaches, but limit what the pool, or the check, can do.
	Notes []string `json:"notes,omitempty"`
	// Skipped says why the step was not tried; "" when it was.
	Skipped string        `json:"skipped,omitempty"`
	Took    time.Duration `json:"took_ns"`
}

// OK tells whether the worker keeps the whole protocol.
func (r Report) OK() bool {
	for _, s := range r.Steps {
		if len(s.Found) > 0 || s.Skipped != "" {
			return false
		}
	}
	return len(r.Steps) > 0
}

// Violations lists everything that was found, in order.
func (r Report) Violations() (all []*Violation) {
	for _, s := range r.Steps {
		all = append(all, s.Found...)
	}
	return all
}

// String is the report for people: a line a step, and below it a line for each thing that is wrong.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "worker check: %s\n", strings.Join(r.Argv, " "))
	for _, s := range r.Steps {
		switch {
		case s.Skipped != "":
			fmt.Fprintf(&b, "  skip  %-16s %s\n", s.Name, s.Skipped)
		case len(s.Found) > 0:
			fmt.Fprintf(&b, "  FAIL  %s\n", s.Name)
		default:
			fmt.Fprintf(&b, "  ok    %-16s %4d ms\n", s.Name, s.Took.Milliseconds())
		}
		const shown = 10
		for i, v := range s.Found {
			if i == shown {
				fmt.Fprintf(&b, "        … and %d more\n", len(s.Found)-shown)
				break
			}
			fmt.Fprintf(&b, "        %s\n", plain(v.Error()))
		}
		for _, n := range s.Notes {
			fmt.Fprintf(&b, "        note: %s\n", plain(n))
		}
	}
	if !r.OK() && r.Stderr != "" {
		b.WriteString("what it printed ended with:\n")
		lines := strings.Split(strings.TrimRight(r.Stderr, "\n"), "\n")
		const shown = 12
		for _, line := range lines[max(0, len(lines)-shown):] {
			fmt.Fprintf(&b, "        %s\n", plain(line))
		}
	}
	return b.String()
}

// plain makes text of a worker safe to print: no control characters, so nothing that steers a terminal or starts a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

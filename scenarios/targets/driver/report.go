package driver

import (
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
)

// Report is what a conformance check found.
type Report struct {
	Argv  []string `json:"argv"`
	Hello Hello    `json:"hello"`
	Steps []Step   `json:"steps"`
	// Stderr is the end of what the driver wrote to its standard error.
	Stderr string `json:"stderr,omitempty"`
}

// Step is one part of the check.
type Step struct {
	Name  string       `json:"name"`
	Found []*Violation `json:"found,omitempty"`
	// Notes are no breaches, but limit what a run with the driver can show.
	Notes []string `json:"notes,omitempty"`
	// Skipped says why the step was not tried; "" when it was.
	Skipped string        `json:"skipped,omitempty"`
	Took    time.Duration `json:"took_ns"`
}

// OK tells whether the driver keeps the whole protocol.
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
	fmt.Fprintf(&b, "driver check: %s\n", strings.Join(r.Argv, " "))
	if r.Hello.Name != "" {
		fmt.Fprintf(&b, "%s %s (can: %s)\n", plain(r.Hello.Name), plain(r.Hello.Version), plain(strings.Join(r.Hello.Can, ", ")))
	}
	for _, s := range r.Steps {
		switch {
		case s.Skipped != "":
			fmt.Fprintf(&b, "  skip  %-14s %s\n", s.Name, s.Skipped)
		case len(s.Found) > 0:
			fmt.Fprintf(&b, "  FAIL  %s\n", s.Name)
		default:
			fmt.Fprintf(&b, "  ok    %-14s %7s\n", s.Name, check.Seconds.Show(s.Took.Seconds()))
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
		tail := tailLines(r.Stderr, 10)
		fmt.Fprintf(&b, "its standard error ended with:\n")
		if words := lastWords(r.Stderr); !strings.Contains(tail, words) { // above the trace that follows it
			fmt.Fprintf(&b, "        %s\n        …\n", plain(words))
		}
		for line := range strings.Lines(tail) {
			fmt.Fprintf(&b, "        %s\n", plain(strings.TrimRight(line, "\r\n")))
		}
	}
	return b.String()
}

// plain makes text of a driver safe to print: no control characters, so nothing that steers a terminal or starts a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, s)
}

func tailLines(s string, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}

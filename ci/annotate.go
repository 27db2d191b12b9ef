package ci

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/respawn-go/respawn/reports"
)

// Print writes the decision for people: a line a scenario.
func (d Decision) Print(w io.Writer) {
	width := 8
	for _, r := range d.Rows {
		width = max(width, len(r.Scenario))
	}
	for _, r := range d.Rows {
		fmt.Fprintf(w, "%-5s  %-*s  %d %s  %s\n", colour(r), width, r.Scenario, r.Runs, map[bool]string{true: "run ", false: "runs"}[r.Runs == 1], clean(r.Reason))
		if r.Change != nil && !r.Change.Red {
			fmt.Fprintf(w, "       %-*s  %s\n", width, "", clean(r.Change.Text))
		}
	}
	if d.Note != "" {
		fmt.Fprintln(w, d.Note)
	}
	fmt.Fprintf(w, "gate: %s\n", map[bool]string{true: "green", false: "red"}[d.Green])
}

func colour(r Row) string {
	switch {
	case !r.Green:
		return "red"
	case r.Skipped:
		return "skip"
	}
	return "green"
}

// Annotate writes GitHub's workflow commands, one error for each red scenario, and appends the step summary to the file
// that GITHUB_STEP_SUMMARY names. It does nothing outside GitHub Actions.
func (d Decision) Annotate(w io.Writer) error {
	if !onGitHub() {
		return nil
	}
	for _, r := range d.Rows {
		if !r.Green {
			fmt.Fprintf(w, "::error title=%s::%s\n", property("respawn "+r.Scenario), data(r.Reason))
		}
	}
	path := StepSummary()
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the step summary: %w", err)
	}
	_, err = io.WriteString(f, d.Markdown())
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

func onGitHub() bool { return os.Getenv("GITHUB_ACTIONS") == "true" }

// StepSummary is the file that Annotate appends to, "" outside GitHub Actions.
func StepSummary() string {
	if !onGitHub() {
		return ""
	}
	return os.Getenv("GITHUB_STEP_SUMMARY")
}

// JUnit writes the decision as JUnit XML: a test case a scenario.
func (d Decision) JUnit(w io.Writer) error {
	var cases []reports.JUnitCase
	for _, r := range d.Rows {
		c := reports.JUnitCase{Name: r.Scenario}
		switch {
		case !r.Green:
			c.Failure = r.Reason
		case r.Skipped:
			c.Skipped = r.Reason
		}
		cases = append(cases, c)
	}
	if d.Note != "" {
		cases = append(cases, reports.JUnitCase{Name: "runs", Failure: d.Note})
	}
	return reports.WriteJUnit(w, "respawn gate", cases)
}

// Markdown is the decision as a table.
func (d Decision) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### respawn gate: %s\n\n| | scenario | runs | why |\n| --- | --- | --- | --- |\n", map[bool]string{true: "green", false: "red"}[d.Green])
	for _, r := range d.Rows {
		fmt.Fprintf(&b, "| %s | %s | %d | %s |\n", colour(r), cell(r.Scenario), r.Runs, cell(r.Reason))
	}
	return b.String()
}

// clean keeps text on one line and free of control characters, so that nothing a worker wrote starts a line of its own.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// cell escapes text for a Markdown table.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", ">", "&gt;", "`", "'", "[", "\\[", "*", "\\*").Replace(clean(s))
}

// data and property escape the value and the properties of a workflow command (GitHub's toolkit, core/src/command.ts).
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

package ci

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/internal/columns"
	"github.com/respawn-go/respawn/reports"
)

// Print writes the decision for people, in at most width columns: a line a scenario, and below it what is to be known
// beside.
func (d Decision) Print(w io.Writer, width int) {
	var rows [][]string
	for _, r := range d.Rows {
		runs := fmt.Sprintf("%d %s", r.Runs, map[bool]string{true: "run", false: "runs"}[r.Runs == 1])
		rows = append(rows, []string{fmt.Sprintf("%-6s %s", r.colour(), clean(r.Scenario)), runs, clean(r.Reason)})
		for _, text := range r.notes() {
			rows = append(rows, []string{"", "", clean(text)})
		}
	}
	_ = columns.Write(w, width, rows)
	if d.Note != "" {
		fmt.Fprintln(w, d.Note)
	}
	fmt.Fprintf(w, "gate: %s\n", map[bool]string{true: "green", false: "red"}[d.Green])
}

// colour is red, skip, yellow for what is green and is not to be overlooked, or green.
func (r Row) colour() string {
	switch {
	case !r.Green:
		return "red"
	case r.Skipped:
		return "skip"
	case r.Allowed, len(r.Warnings) > 0:
		return "yellow"
	}
	return "green"
}

// notes is the warnings, and the comparison if it is not the reason.
func (r Row) notes() []string {
	if r.Change == nil || r.Change.Red {
		return r.Warnings
	}
	return append(slices.Clip(r.Warnings), r.Change.Text)
}

// Annotate writes GitHub's workflow commands, an error for each red scenario and a warning for each yellow one, and
// appends the step summary to the file that GITHUB_STEP_SUMMARY names. It does nothing outside GitHub Actions.
func (d Decision) Annotate(w io.Writer) error {
	if !onGitHub() {
		return nil
	}
	for _, r := range d.Rows {
		title := property("respawn " + r.Scenario)
		switch r.colour() {
		case "red":
			fmt.Fprintf(w, "::error title=%s::%s\n", title, data(r.Reason))
		case "yellow":
			fmt.Fprintf(w, "::warning title=%s::%s\n", title,
				data(strings.Join(append([]string{r.Reason}, r.Warnings...), "; ")))
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
		c := reports.JUnitCase{Name: r.Scenario, Seconds: r.Seconds}
		switch {
		case !r.Green:
			c.Failure = r.Reason
		case r.Skipped, r.Allowed: // neither passed
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
	fmt.Fprintf(&b, "### respawn gate: %s\n\n| | scenario | runs | why |\n| --- | --- | --- | --- |\n",
		map[bool]string{true: "green", false: "red"}[d.Green])
	for _, r := range d.Rows {
		why := strings.Join(append([]string{cell(r.Reason)}, cells(r.notes())...), "<br>")
		fmt.Fprintf(&b, "| %s | %s | %d | %s |\n", r.colour(), cell(r.Scenario), r.Runs, why)
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

func cells(list []string) (escaped []string) {
	for _, s := range list {
		escaped = append(escaped, cell(s))
	}
	return escaped
}

// data and property escape the value and the properties of a workflow command (GitHub's toolkit, core/src/command.ts).
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func property(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}

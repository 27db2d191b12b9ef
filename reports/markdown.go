package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
)

// mostShown bounds the lists of a summary.
const mostShown = 20

// Markdown writes the report as a summary for pull requests and job pages. baseline is earlier reports to
// compare with; it may be empty.
func (r *Report) Markdown(w io.Writer, baseline []*Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s: %s\n\n%s\n\n", r.Verdict, inert(r.Scenario), inert(r.Cause))
	if r.Command != "" {
		fmt.Fprintf(&b, "Repeat it: %s\n\n", code(r.Command))
	}
	broken, held, promises := r.sortedThresholds()
	if rows := append(broken, held...); len(rows)+len(promises) > 0 {
		fmt.Fprintf(&b, "| held | condition | actual | limit | samples |\n| --- | --- | --- | --- | --- |\n")
		for _, t := range rows {
			fmt.Fprintf(&b, "| %s | %s: %s | %s | %s | %s |\n", outcome(t).Text, group(t), inert(t.Text), actual(t),
				value(t.Metric, t.Limit), samples(t))
		}
	}
	if n := len(promises); n > 0 {
		made := ""
		if all := r.promisesMade(); all > n {
			made = fmt.Sprintf("%d of the ", n)
			n = all
		}
		fmt.Fprintf(&b, "| ✓ yes | %s%s that every scenario makes | | | |\n", made, plural(n, "promise"))
	}
	fmt.Fprintf(&b, "\n%s\n", r.faultCounts())
	if line := r.hostLine(); line != "" {
		fmt.Fprintf(&b, "\n%s\n", line)
	}
	if line := r.Against(baseline); line != "" {
		fmt.Fprintf(&b, "\n%s.\n", inert(upper(line)))
		r.changesTable(&b, baseline)
	}
	if shown := r.Findings; r.Verdict != check.Pass && len(shown) > 0 {
		fmt.Fprintf(&b, "\n| verdict | why | line of the history |\n| --- | --- | --- |\n")
		for _, f := range shown[:min(len(shown), mostShown)] {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", f.Verdict, inert(f.Text), lineNumber(f.Event))
		}
		if more := len(shown) - mostShown; more > 0 {
			fmt.Fprintf(&b, "\n%d more findings are in report.json.\n", more)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// changesTable is what changed since the baseline, with the baseline's runs and last this one as a sparkline. What did
// not is a number.
func (r *Report) changesTable(b *strings.Builder, baseline []*Report) {
	list, _, _ := r.changes(baseline, diffed...)
	changed := slices.DeleteFunc(slices.Clone(list), func(c change) bool { return !c.better && !c.worse })
	if len(changed) > 0 {
		fmt.Fprintf(b, "\n| since the baseline | this run | its median | change | its runs, then this one |\n"+
			"| --- | --- | --- | --- | --- |\n")
	}
	for _, c := range changed {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", inert(c.metric), value(c.metric, c.now), value(c.metric, c.mid),
			inert(c.cell().Text), sparkline(c.trend))
	}
	if same := len(list) - len(changed); same > 0 {
		fmt.Fprintf(b, "\n%s within the baseline's noise.\n", plural(same, "metric"))
	}
}

// group is the threshold's, and for a steady condition on which side of the faults it was looked at.
func group(t check.Threshold) string {
	if t.When == "" {
		return t.Group
	}
	return t.Group + ", " + t.When
}

func actual(t check.Threshold) string {
	switch {
	case t.NotJudged:
		return "–"
	case t.NoData && t.Samples > 0:
		return value(t.Metric, t.Actual) + ", of too few"
	case t.NoData:
		return "no data"
	}
	return value(t.Metric, t.Actual)
}

// samples is how many measurements the actual value comes from, and of what.
func samples(t check.Threshold) string {
	of := t.Of
	if t.Samples == 1 {
		of = strings.TrimSuffix(of, "s")
	}
	return strings.TrimSpace(whole(float64(t.Samples)) + " " + of)
}

func lineNumber(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// faultCounts is one sentence on the injections.
func (r *Report) faultCounts() string {
	count := func(outcome string) int { return int(r.Metrics["faults."+outcome]) }
	if count("planned") == 0 {
		return "No fault was injected."
	}
	s := fmt.Sprintf("%s: %s confirmed", plural(count("planned"), "injection"), whole(float64(count("confirmed"))))
	for _, o := range []string{"already_gone", "missed", "refused", "unconfirmed"} {
		if n := count(o); n > 0 {
			s += fmt.Sprintf(", %s %s", whole(float64(n)), strings.ReplaceAll(o, "_", " "))
		}
	}
	return s + "."
}

// inert makes hostile text harmless inside a Markdown line or table cell.
func inert(s string) string {
	s = strings.ReplaceAll(plain(s), "\n", " ")
	return strings.NewReplacer(
		"\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "`", "\\`", "[", "\\[", "]", "\\]", "*", "\\*", "!",
		"\\!", "#", "\\#",
	).Replace(s)
}

// code is text as a code span.
func code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "\n", " ", "|", "\\|").Replace(plain(s)) + "`"
}

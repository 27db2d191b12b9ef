package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed index.html
var indexText string

var index = template.Must(template.New("index").Funcs(template.FuncMap{
	"seconds": seconds, "lower": lower, "safe": safe, "word": verdictWord,
}).Parse(indexText))

// IndexEntry is one run of the index page.
type IndexEntry struct {
	*Report
	Dir      string    // of its files, relative to the index page
	Baseline []*Report // earlier runs to compare it with; may be empty
}

// Link is the address of the run's page.
func (e IndexEntry) Link() string {
	return (&url.URL{Path: "./" + filepath.ToSlash(filepath.Join(e.Dir, "report.html"))}).String()
}

// Name is the scenario, with what tells the run from others of it: NAME.2, NAME.3, and the test that made it.
func (e IndexEntry) Name() string {
	name := e.Scenario
	if e.Dir != "." {
		name = runIn(e.Dir, e.Scenario)
	}
	if e.Test != "" {
		name += " (" + e.Test + ")"
	}
	return name
}

// Recovery is the median slot recovery, the longest where there is no median, "" without a death.
func (e IndexEntry) Recovery() string {
	if v, ok := e.Metrics[e.typicalRecovery()]; ok {
		return seconds(v)
	}
	return ""
}

// Change is how much the typical recovery of the slots has changed since the baseline; without one, since the median of
// the group's runs. It has no text where there is nothing to compare.
func (g indexGroup) Change(e IndexEntry) cell {
	if list, _, _ := e.changes(e.Baseline, e.typicalRecovery()); len(list) > 0 {
		c := list[0].cell()
		c.Text = strings.Replace(c.Text, "the baseline's", "its", 1) + ", by the baseline"
		return c
	}
	if len(g.Runs) < 3 {
		return cell{}
	}
	_, mid, _ := spread(reportsOf(g.Runs), e.typicalRecovery())
	if now, ok := e.Metrics[e.typicalRecovery()]; ok && mid > 0 {
		return cell{fmt.Sprintf("%+.0f%% of its runs' median", 100*(now/mid-1)), "none"}
	}
	return cell{}
}

// Trend is the typical recovery of the baseline's runs and the group's, in the order of time, as a sparkline.
func (g indexGroup) Trend() indexTrend {
	first := g.Runs[0]
	runs, _ := first.Comparable(first.Baseline, 1)
	for _, e := range g.Runs {
		if !slices.ContainsFunc(runs, e.SameRun) {
			runs = append(slices.Clip(runs), e.Report)
		}
	}
	slices.SortStableFunc(runs, func(a, b *Report) int { return a.Started.Compare(b.Started) })
	var values []float64
	for _, r := range runs {
		if v, ok := r.Metrics[first.typicalRecovery()]; ok {
			values = append(values, v)
		}
	}
	if len(values) < 2 {
		return indexTrend{}
	}
	return indexTrend{sparkline(values), fmt.Sprintf("recovery over %s, from %s to %s", plural(len(values), "run"),
		seconds(values[0]), seconds(values[len(values)-1]))}
}

// indexTrend is a sparkline and what it shows in words.
type indexTrend struct{ Blocks, Text string }

// Confirmed counts the confirmed injections.
func (e IndexEntry) Confirmed() string { return whole(e.Metrics["faults.confirmed"]) }

// indexGroup is the runs of one experiment on one target.
type indexGroup struct {
	Runs   []IndexEntry
	Worst  Verdict
	Spread string // of several: their verdicts, and from which to which recovery
}

// grouped puts the runs of an experiment together, and what is worst first: groups, and the runs of each.
func grouped(entries []IndexEntry) (groups []indexGroup) {
	type key struct{ scenario, experiment, target, version string }
	at := map[key]int{}
	for _, e := range entries {
		k := key{e.Scenario, e.Experiment, e.Target.Name, e.Target.Version}
		i, ok := at[k]
		if !ok {
			i = len(groups)
			at[k] = i
			groups = append(groups, indexGroup{})
		}
		groups[i].Runs = append(groups[i].Runs, e)
	}
	gravity := func(v Verdict) int {
		if i := slices.Index(precedence, v); i >= 0 {
			return i
		}
		return len(precedence)
	}
	for i := range groups {
		g := &groups[i]
		slices.SortStableFunc(g.Runs, func(a, b IndexEntry) int { return gravity(a.Verdict) - gravity(b.Verdict) })
		g.Worst = g.Runs[0].Verdict
		g.Spread = spreadOf(g.Runs)
	}
	slices.SortStableFunc(groups, func(a, b indexGroup) int { return gravity(a.Worst) - gravity(b.Worst) })
	return groups
}

// spreadOf is what several runs of an experiment come to, in a line; "" for one run.
func spreadOf(runs []IndexEntry) string {
	if len(runs) < 2 {
		return ""
	}
	counts := map[Verdict]int{}
	low, high := math.Inf(1), math.Inf(-1)
	for _, e := range runs {
		counts[e.Verdict]++
		if v, ok := e.Metrics[e.typicalRecovery()]; ok {
			low, high = min(low, v), max(high, v)
		}
	}
	parts := []string{}
	for _, v := range []Verdict{Error, Fail, Aborted, Inconclusive, Pass} {
		if n := counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	text := plural(len(runs), "run") + ": " + strings.Join(parts, ", ")
	if low <= high {
		text += "; recovery " + seconds(low) + " to " + seconds(high)
	}
	return text
}

// Index writes the page over many runs: those of one experiment together, and what is worst first.
func Index(w io.Writer, entries []IndexEntry) error {
	counts := map[string]int{}
	var verdicts []Verdict
	for _, e := range entries {
		verdicts = append(verdicts, e.Verdict)
		if e.Skipped != "" {
			counts["skipped"]++
		} else {
			counts[string(e.Verdict)]++
		}
	}
	summary := ""
	for _, k := range []string{"PASS", "FAIL", "ERROR", "ABORTED", "INCONCLUSIVE", "skipped"} {
		if counts[k] > 0 {
			summary += fmt.Sprintf(" · %d %s", counts[k], k)
		}
	}
	return index.Execute(w, struct {
		Groups  []indexGroup
		Summary string
		Worst   Verdict
		Style   template.CSS
		Script  template.JS
		Policy  string
	}{
		grouped(entries), plural(len(entries), "run") + summary, Worst(verdicts...), template.CSS(pageStyle),
		template.JS(pageScript), //nolint:gosec // our own files
		fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
			digest(pageStyle), digest(pageScript)),
	})
}

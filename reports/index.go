package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"path/filepath"
)

//go:embed index.html
var indexText string

var index = template.Must(template.New("index").Funcs(template.FuncMap{
	"seconds": seconds, "lower": lower, "safe": safe, "word": verdictWord,
}).Parse(indexText))

// IndexEntry is one run of the index page.
type IndexEntry struct {
	*Report
	Dir string // of its files, relative to the index page
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

// Confirmed counts the confirmed injections.
func (e IndexEntry) Confirmed() string { return whole(e.Metrics["faults.confirmed"]) }

// Index writes the page over many runs, one line each, in the given order.
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
		Entries []IndexEntry
		Summary string
		Worst   Verdict
		Style   template.CSS
		Policy  string
	}{
		entries, plural(len(entries), "run") + summary, Worst(verdicts...), template.CSS(pageStyle), //nolint:gosec // our own file
		fmt.Sprintf("default-src 'none'; style-src '%s'; base-uri 'none'; form-action 'none'", digest(pageStyle)),
	})
}

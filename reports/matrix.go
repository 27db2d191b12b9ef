package reports

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Matrix is what the same scenarios showed of several targets.
type Matrix struct {
	SchemaVersion int               `json:"schema_version"`
	Started       time.Time         `json:"started"`
	DurationS     float64           `json:"duration_s"`
	Command       string            `json:"command"`
	Environment   map[string]string `json:"environment"`
	Family        string            `json:"family"`
	Scenarios     []string          `json:"scenarios"`
	Titles        []string          `json:"titles"` // of the scenarios, for people
	Targets       []MatrixTarget    `json:"targets"`
}

// MatrixTarget is one row.
type MatrixTarget struct {
	Name    string `json:"name"` // as on the command line
	Pool    string `json:"pool"` // what it is
	Version string `json:"version,omitempty"`
	// Missing says what is not installed and how to get it; "" when the target was tested.
	Missing string       `json:"missing,omitempty"`
	Cells   []MatrixCell `json:"cells,omitempty"`
}

// MatrixCell is one scenario against one target, repeated.
type MatrixCell struct {
	Scenario string `json:"scenario"`
	// Refused says why the target cannot be put through the scenario; "" when it was.
	Refused string `json:"refused,omitempty"`
	// Told is what the runs showed, in a few words; "" where the verdict and the figures say it.
	Told string      `json:"told,omitempty"`
	Runs []MatrixRun `json:"runs,omitempty"`
}

// MatrixRun is one run of a cell.
type MatrixRun struct {
	Seed    uint64        `json:"seed"`
	Dir     string        `json:"dir"` // of its report, relative to the matrix
	Verdict check.Verdict `json:"verdict"`
	Cause   string        `json:"cause"`
	Gone    bool          `json:"gone,omitempty"` // the target as a whole ended by itself
	// NewParent is what became of the target's parent when it was started again after its end; "" where it was not.
	NewParent string             `json:"new_parent,omitempty"`
	Figures   map[string]figure  `json:"figures"` // by metric; what has no data is left out
	metrics   map[string]float64 // the same
}

// figure is a float64 that may be infinite in JSON: "+Inf".
type figure float64

// MarshalJSON writes a number or "+Inf".
func (f figure) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(f), 0) {
		return []byte(`"+Inf"`), nil
	}
	return json.Marshal(float64(f))
}

// matrixMetrics are the figures of a cell.
var matrixMetrics = []string{
	"pool.want", "pool.ready", "faults.fatal", "processes.orphaned", "processes.left", "pids.turnover",
	"slots.answering", "tasks.submitted", "tasks.ok", "tasks.failed",
	"tasks.hung", "tasks.lost", "tasks.duplicated", "tasks.wrong", "slot.recovery.p50", "slot.recovery.p99",
	"slot.recovery.max", "tasks.wall", "tasks.requeue.count", "tasks.requeue.max",
}

// NewMatrixRun takes a cell's figures out of a report.
func NewMatrixRun(r *Report, dir string) MatrixRun {
	gone := slices.ContainsFunc(r.Findings, func(f check.Finding) bool { return f.Code == check.Gone })
	run := MatrixRun{
		Seed: r.Seed, Dir: dir, Verdict: r.Verdict, Cause: r.Cause, Gone: gone, Figures: map[string]figure{},
		metrics: map[string]float64{},
	}
	for _, f := range r.Faults {
		if f.Receipt != nil && f.Receipt.Evidence[history.NewParent] != "" {
			run.NewParent = f.Receipt.Evidence[history.NewParent]
		}
	}
	for _, name := range matrixMetrics {
		if v, ok := r.Metrics[name]; ok {
			run.Figures[name], run.metrics[name] = figure(v), v
		}
	}
	return run
}

// Metric is a figure of the run; 0 without data.
func (r *MatrixRun) Metric(name string) float64 { return r.metrics[name] }

// Each says of every run what it showed, by a word or a few, and how many of the runs showed that where there are
// several. Runs of which nothing is said are told by the metric. Of one that could not be made, and of one with which
// the whole target ended, it says that.
func (c *MatrixCell) Each(say func(*MatrixRun) string, metric string) string {
	var words []string
	counts := map[string]int{}
	figures := MatrixCell{}
	for i := range c.Runs {
		word := ""
		switch r := &c.Runs[i]; {
		case r.Verdict == check.Error:
			word = "could not be run"
		case r.Gone:
			word = "it ends altogether"
		default:
			word = say(r)
		}
		if word == "" {
			figures.Runs = append(figures.Runs, c.Runs[i])
		}
		if counts[word]++; counts[word] == 1 {
			words = append(words, word)
		}
	}
	for i, word := range words {
		text := word
		if word == "" {
			text = figures.spread(metric, func(v float64) string { return Value(metric, v) })
		}
		if len(c.Runs) > 1 {
			text += fmt.Sprintf(" (%d of %d)", counts[word], len(c.Runs))
		}
		words[i] = text
	}
	return strings.Join(words, ", ")
}

// JSON writes the matrix as one object.
func (m *Matrix) JSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(m)
}

// spread is the metric over the runs: the median, and the range where they differ. "–" without data, and with fewer
// runs that have data than all the worst is shown: something that never happened.
func (c *MatrixCell) spread(metric string, format func(float64) string) string {
	var values []float64
	for _, r := range c.Runs {
		if v, ok := r.metrics[metric]; ok {
			values = append(values, v)
		}
	}
	return medianAndRange(values, format)
}

// Spread is that of a figure which is worked out of the metrics, as a whole number.
func (c *MatrixCell) Spread(of func(*MatrixRun) float64) string {
	var values []float64
	for i := range c.Runs {
		values = append(values, of(&c.Runs[i]))
	}
	return medianAndRange(values, whole)
}

func medianAndRange(values []float64, format func(float64) string) string {
	if len(values) == 0 {
		return "–"
	}
	slices.Sort(values)
	text := format(values[len(values)/2])
	if first, last := format(values[0]), format(values[len(values)-1]); first != last {
		text += fmt.Sprintf(" (%s…%s)", first, last)
	}
	return text
}

// of is a number of so many.
func (c *MatrixCell) of(metric, all string) string {
	if c.spread(metric, whole) == "–" || c.spread(all, whole) == "–" {
		return "–"
	}
	return c.spread(metric, whole) + " of " + c.spread(all, whole)
}

// Size is how many members were there at the end, of those wanted.
func (c *MatrixCell) Size() string { return c.of("pool.ready", "pool.want") }

// Pids is how many new pids came for the members that were killed.
func (c *MatrixCell) Pids() string { return c.of("pids.turnover", "faults.fatal") }

// Answers is how many slots answered at the end, of those wanted.
func (c *MatrixCell) Answers() string { return c.of("slots.answering", "pool.want") }

// Tasks is ok / failed / hung / lost / duplicated.
func (c *MatrixCell) Tasks() string {
	if c.spread("tasks.submitted", whole) == "–" || c.spread("tasks.submitted", whole) == "0" {
		return "–"
	}
	var parts []string
	for _, name := range []string{"ok", "failed", "hung", "lost", "duplicated"} {
		v := c.spread("tasks."+name, whole)
		if v == "–" {
			v = "0"
		}
		parts = append(parts, v)
	}
	return strings.Join(parts, " / ")
}

// Brief is what a cell of the overview has room for: how many slots answer, and what became of the tasks.
func (c *MatrixCell) Brief() string {
	if c.Told != "" {
		return c.Told
	}
	text := c.Answers() + " answer"
	if tasks := c.Tasks(); tasks != "–" {
		text += "; " + tasks
	}
	return text
}

// Recovery is the median time from a death until its slot answered again, and its 99th percentile, or the longest where
// there are too few for that.
func (c *MatrixCell) Recovery() string {
	p50, worst := c.spread("slot.recovery.p50", seconds), c.spread("slot.recovery.p99", seconds)
	if worst == "–" {
		worst = c.spread("slot.recovery.max", seconds)
	}
	if p50 == "–" {
		return worst
	}
	return p50 + " / " + worst
}

// Usable tells whether anybody answered at the end, in how many of the runs if not in all.
func (c *MatrixCell) Usable() string {
	n := 0
	for _, r := range c.Runs {
		if r.metrics["slots.answering"] > 0 {
			n++
		}
	}
	switch n {
	case len(c.Runs):
		return "yes"
	case 0:
		return "no"
	}
	return fmt.Sprintf("%d of %d", n, len(c.Runs))
}

// Verdict is the worst verdict of the runs.
func (c *MatrixCell) Verdict() check.Verdict {
	worst := check.Pass
	order := []check.Verdict{check.Error, check.Fail, check.Aborted, check.Inconclusive, check.Pass}
	for _, r := range c.Runs {
		if slices.Index(order, r.Verdict) < slices.Index(order, worst) {
			worst = r.Verdict
		}
	}
	return worst
}

// Rate is how often the runs failed, with its interval; "" of one run.
func (c *MatrixCell) Rate() string {
	if len(c.Runs) < 2 {
		return ""
	}
	var verdicts []check.Verdict
	for _, r := range c.Runs {
		verdicts = append(verdicts, r.Verdict)
	}
	return RateOf(0, verdicts...).String()
}

// Cause is the sentence of the first run with the worst verdict.
func (c *MatrixCell) Cause() string {
	for _, r := range c.Runs {
		if r.Verdict == c.Verdict() {
			return r.Cause
		}
	}
	return ""
}

// Link is the address of a run's page.
func (r MatrixRun) Link() string {
	return (&url.URL{Path: "./" + filepath.ToSlash(filepath.Join(r.Dir, "report.html"))}).String()
}

//go:embed matrix.html
var matrixText string

var matrixPage = template.Must(template.New("matrix").Funcs(template.FuncMap{
	"safe": safe, "lower": lower, "seconds": seconds, "plural": plural, "add": func(a, b int) int { return a + b },
}).Parse(matrixText))

// HTML writes the matrix as one page, each cell with links to its runs' reports.
func (m *Matrix) HTML(w io.Writer) error {
	return matrixPage.Execute(w, struct {
		*Matrix
		Style  template.CSS
		Policy string
	}{
		m, template.CSS(pageStyle), //nolint:gosec // our own file
		fmt.Sprintf("default-src 'none'; style-src '%s'; base-uri 'none'; form-action 'none'", digest(pageStyle)),
	})
}

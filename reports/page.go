package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"seconds": seconds, "value": value, "lower": lower, "safe": safe, "word": verdictWord, "plural": plural,
	"outcome": outcome, "actual": actual, "samples": samples,
}).Parse(pageText))

// HTML writes the report as one page that needs nothing beside itself: no network, and for reading no JavaScript.
// baseline is earlier reports of the same scenario, for the comparison; it may be empty.
func (r *Report) HTML(w io.Writer, baseline []*Report) error {
	if r.Ledger == nil { // it was read from a file
		c := *r
		c.Ledger = ledger.New(history.Header{})
		r = &c
	}
	data, err := r.embedded()
	if err != nil {
		return err
	}
	broken, held, promises := r.sortedThresholds()
	changes, _, _ := r.changes(baseline, diffed...)
	v := pageView{
		Report: r, Style: template.CSS(pageStyle), Script: template.JS(pageScript), //nolint:gosec // our own files
		Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; base-uri 'none'; form-action 'none'",
			digest(pageStyle), digest(pageScript)),
		Tiles: r.tiles(), Rules: append(broken, held...), Promises: promises, Made: r.promisesMade(),
		Figures: r.figures(r.ghostOf(baseline)), Tasks: r.troubledTasks(), Matrix: r.exitMatrix(),
		Coverage: r.coverage(), Lineage: r.lineage(),
		Diff: r.diff(baseline), Against: r.Against(baseline), Changes: inShort(changes), Notes: r.notes(),
		Source: r.source, Data: data, Jump: jumps[r.Verdict],
		Failed: r.Verdict != check.Pass, Told: map[int]bool{}, Index: r.index,
		Story: r.story, Beside: r.beside,
		Lost: r.Ledger.Dropped, FaultsCut: max(0, len(r.Faults)-shownFaults), Outcomes: r.faultCounts(),
		Host:    r.hostLine(),
		Shown:   r.Faults[:min(len(r.Faults), shownFaults)],
		Reasons: r.Findings[:min(len(r.Findings), shownFindings)], ReasonsCut: max(0, len(r.Findings)-shownFindings),
	}
	v.Ends, v.EndsCut = r.shownExitRows()
	v.tell()
	for _, x := range r.Exits {
		if x.Stderr != "" && len(v.Words) < shownWords {
			v.Words = append(v.Words, x)
		}
	}
	var out bytes.Buffer // a page that fails half-way must not look whole
	if err := page.Execute(&out, &v); err != nil {
		return err
	}
	_, err = w.Write(onlyWhatLeads(out.Bytes()))
	return err
}

var (
	places  = regexp.MustCompile(` id="([a-z]+-[0-9]+)"`)
	leading = regexp.MustCompile(` href="#([a-z]+-[0-9]+)"`)
)

// onlyWhatLeads is the page without the links to ledgers' rows that it does not show.
func onlyWhatLeads(page []byte) []byte {
	there := map[string]bool{}
	for _, id := range places.FindAllSubmatch(page, -1) {
		there[string(id[1])] = true
	}
	return leading.ReplaceAllFunc(page, func(href []byte) []byte {
		if there[string(href[len(` href="#`):len(href)-1])] {
			return href
		}
		return nil
	})
}

// What the page shows of a list at most.
const (
	shownFaults   = 500
	shownFindings = 100
	shownWords    = 100
)

// embedded is report.json within the page, with ledgers as short as the page's own.
func (r *Report) embedded() (json.RawMessage, error) {
	c := *r
	c.Faults, c.Exits = r.Faults[:min(len(r.Faults), shownFaults)],
		slices.Clone(r.Exits[:min(len(r.Exits), shownFaults)])
	for i := range c.Exits {
		c.Exits[i].Stderr = "" // the page has it
	}
	if len(c.Faults)+len(c.Exits) < len(r.Faults)+len(r.Exits) {
		c.Truncated = fmt.Sprintf("the first %d of each ledger are in the page, the rest is in report.json",
			shownFaults)
	}
	return json.Marshal(&c)
}

// sortedThresholds puts what was broken first. The promises that every scenario makes are apart while all of them hold.
func (r *Report) sortedThresholds() (broken, held, promises []check.Threshold) {
	for _, t := range r.Thresholds {
		switch {
		case !t.OK && !t.NotJudged:
			broken = append(broken, t)
		case t.Group == "promise" && t.OK:
			promises = append(promises, t)
		default:
			held = append(held, t)
		}
	}
	return broken, held, promises
}

// promisesMade counts the promises that could be judged.
func (r *Report) promisesMade() (n int) {
	for _, t := range r.Thresholds {
		if t.Group == "promise" && !t.NotJudged {
			n++
		}
	}
	return n
}

// outcome is what became of a threshold, in a word with its mark, and the class of its row.
func outcome(t check.Threshold) cell {
	switch {
	case t.NotJudged:
		return cell{"– not judged", "dimmed"}
	case t.Starved:
		return cell{"? host starved", "dimmed"}
	case t.Group == "abort" && t.OK:
		return cell{"✓ did not occur", "ok"}
	case t.Group == "abort" && !t.NoData:
		return cell{"✗ occurred", "broken"}
	case t.OK:
		return cell{"✓ yes", "ok"}
	}
	return cell{"✗ no", "broken"}
}

// pageView is what the template shows.
type pageView struct {
	*Report
	Style      template.CSS
	Script     template.JS
	Policy     string
	Tiles      []tile
	Rules      []check.Threshold
	Promises   []check.Threshold // that were kept
	Made       int               // promises, kept or not
	Reasons    []check.Finding
	ReasonsCut int
	Figures    []Figure
	Shown      []Injection
	FaultsCut  int
	Outcomes   string
	Host       string
	Tasks      taskTable
	Matrix     table
	Words      []Exit
	Coverage   table
	Lineage    table
	Diff       table
	Against    string
	Changes    string // since the baseline, in a line
	Notes      []string
	Lost       uint64
	Source     string
	Data       json.RawMessage
	Jump       string // to the first failure, "" where there is none
	Failed     bool
	Ends       []exitRow
	EndsCut    int
	Index      string // the address of the page over all runs, "" without one
	Story      *story
	Beside     []link       // the other files of the run
	Told       map[int]bool // the lines of the history that a row of the page shows
}

// jumps are the words of the link to the first finding.
var jumps = map[check.Verdict]string{
	check.Fail: "Jump to the first failure", check.Error: "Jump to what went wrong",
	check.Inconclusive: "Jump to what is missing",
}

// LinesOf are the lines that findings name of an injection.
func (v *pageView) LinesOf(in Injection) []int { return v.named(in.lines...) }

// tell notes which lines of the history that findings name are shown.
func (v *pageView) tell() {
	var lines []int
	if v.Story != nil {
		for _, q := range v.Story.Quotes {
			lines = append(lines, q.N)
		}
	}
	for _, in := range v.Shown {
		lines = append(lines, v.LinesOf(in)...)
	}
	for _, x := range v.Ends {
		lines = append(lines, x.Lines...)
	}
	for _, t := range append(slices.Clone(v.Tasks.Bad), v.Tasks.Retried...) {
		lines = append(lines, t.Lines...)
	}
	for _, line := range lines {
		v.Told[line] = true
	}
}

// table is a plain table: header and rows, and a note on what was left out.
type table struct {
	Name    string
	Columns []string
	Rows    [][]cell
	Note    string
	Prefix  string // of the rows' ids, before what is in their first cell; "": they have none
}

// cell is a text and the class of its look: "", good, bad, none.
type cell struct{ Text, Class string }

func cells(texts ...string) []cell {
	list := make([]cell, len(texts))
	for i, t := range texts {
		list[i].Text = t
	}
	return list
}

// digest is a source for the Content-Security-Policy that allows exactly this inline text.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// Value writes a metric's number with its unit, for people.
func Value(metric string, v float64) string { return value(metric, v) }

// value writes a metric's number with its unit.
func value(metric string, v float64) string {
	if strings.HasPrefix(metric, "pool.below.") && math.IsInf(v, 1) {
		return "to the end"
	}
	switch u := unitOf(metric); u {
	case check.Seconds:
		return seconds(v)
	case check.Bytes:
		return size(v)
	case check.PerSecond:
		return three(v) + "/s"
	default:
		return u.Show(v)
	}
}

// safe is text without control characters, which HTML does not allow and terminals obey; line ends stay.
func safe(s string) string {
	const most = 64 << 10
	s = strings.ToValidUTF8(s, "�")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + fmt.Sprintf("\n… %d more bytes are in the history", len(s)-most)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '␀' + r // the control pictures of Unicode
		case r == 0x7f:
			return '␡'
		case r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			// C1, and marks that turn text around
			return '�'
		}
		return r
	}, s)
}

func lower(v check.Verdict) string { return strings.ToLower(string(v)) }

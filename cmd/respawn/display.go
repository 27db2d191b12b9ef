package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/respawn-go/respawn/internal/columns"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// display shows a run as it goes on, on standard error.
type display interface {
	update(p scenarios.Progress) // takes the next state of the run, and does not wait
	end()
}

// newDisplay is a panel on a terminal, and elsewhere a log.
func newDisplay(w io.Writer, name string) display {
	if isTerminal(w) && os.Getenv("TERM") != "dumb" {
		return newPanel(w, name)
	}
	return newLog(newScreen(w), name)
}

// eventLog shows a run in lines: what is unusual as it happens, and how far the run is every few seconds.
type eventLog struct {
	w        io.WriteCloser
	name     string
	lastLine time.Duration
	second   time.Duration // since when news are counted
	news     int           // told since then
	quiet    int           // not told since then
}

func newLog(w io.WriteCloser, name string) *eventLog {
	return &eventLog{w: w, name: name, lastLine: -lineEvery}
}

// described is a writer with a file descriptor.
type described interface{ Fd() uintptr }

func isTerminal(w any) bool {
	f, ok := w.(described)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantsColour follows no-color.org.
func wantsColour() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

// lineEvery is how often a log says how far the run is.
const lineEvery = 5 * time.Second

func (d *eventLog) update(p scenarios.Progress) {
	if p.News != "" && !strings.HasPrefix(p.News, "stage ") {
		d.tell(p)
	}
	if p.At-d.lastLine >= lineEvery {
		d.lastLine = p.At
		d.line(p, strings.Join(figures(p), ", "))
	}
}

// newsPerSecond bounds the lines of a log: a storm of kills is told in figures, and in how many lines were left out.
const newsPerSecond = 20

// tell writes what just happened on a line of its own.
func (d *eventLog) tell(p scenarios.Progress) {
	if p.At-d.second >= time.Second {
		if d.quiet > 0 {
			d.line(p, fmt.Sprintf("%d more lines left out", d.quiet))
		}
		d.second, d.news, d.quiet = p.At, 0, 0
	}
	if d.news == newsPerSecond {
		d.quiet++
		return
	}
	d.news++
	d.line(p, printable(p.News))
}

func (d *eventLog) line(p scenarios.Progress, text string) {
	fmt.Fprintf(d.w, "%s %8s  %-7s %s\n", d.name, clock(p.At), p.Stage, text)
}

// echo is the room that is left for what a terminal writes there itself when Ctrl-C is pressed.
const echo = 3

// width is that of the terminal now, in columns.
func width(w io.Writer) int {
	if f, ok := w.(described); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 1 {
			return columns
		}
	}
	return 80
}

// room is how wide a table may be: as wide as the terminal, and elsewhere, where lines are searched, as wide as it is.
func room(w io.Writer) int {
	if !isTerminal(w) {
		return math.MaxInt
	}
	return width(w)
}

// end tells of what was left out.
func (d *eventLog) end() {
	if d.quiet > 0 {
		fmt.Fprintf(d.w, "%s %d more lines left out\n", d.name, d.quiet)
	}
	_ = d.w.Close()
}

// printVerdict tells how a run was judged and where its report is.
func printVerdict(w io.Writer, r *reports.Report, dir string, baseline []*reports.Report) {
	word := string(r.Verdict)
	if r.Skipped != "" {
		word = "SKIPPED"
	}
	if isTerminal(w) && wantsColour() {
		word = shade(word)
	}
	fmt.Fprintf(w, "%s %s: %s\n", word, r.Scenario, printable(r.Cause))
	if r.Skipped != "" {
		return
	}
	for _, t := range r.Thresholds {
		if !t.OK && !t.NoData && !t.NotJudged && !t.Starved {
			fmt.Fprintf(w, "  broken: %s (%s), is %s\n", printable(t.Text), t.Group, reports.Value(t.Metric, t.Actual))
		}
	}
	if line := r.Against(baseline); line != "" {
		fmt.Fprintf(w, "  %s\n", printable(line))
	}
	fmt.Fprintf(w, "  seed %d, repeat with: %s\n", r.Seed, printable(r.Command))
	fmt.Fprintf(w, "  report: %s\n", filepath.Join(dir, "report.html"))
}

// figures is the state of the run in numbers, what went wrong first.
func figures(p scenarios.Progress) (list []string) {
	if p.Want == 0 {
		return []string{"starting"}
	}
	list = append(list, fmt.Sprintf("ready %d/%d", p.Ready, p.Want))
	if p.Bad > 0 {
		list = append(list, reports.Number(p.Bad)+" bad")
	}
	list = append(list, counted(p.Confirmed, "fault")+" confirmed")
	if p.Failed > 0 {
		list = append(list, fmt.Sprintf("%d not", p.Failed))
	}
	if deaths := p.Recovered + p.Waiting; deaths > 0 {
		list = append(list, fmt.Sprintf("%s of %s recovered", reports.Number(p.Recovered), counted(deaths, "death")))
	}
	list = append(list, counted(p.Tasks, "task"))
	if p.Cancelled > 0 {
		list = append(list, fmt.Sprintf("%d cancelled", p.Cancelled))
	}
	return list
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return reports.Number(n) + " " + noun
}

func clock(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// shade colours a verdict.
func shade(verdict string) string {
	colour := map[string]string{"PASS": "32", "FAIL": "31", "ERROR": "31"}[verdict]
	if colour == "" {
		colour = "33"
	}
	return "\x1b[1;" + colour + "m" + verdict + "\x1b[0m"
}

// printable keeps what a worker wrote from steering the terminal or a CI runner: one line, no control characters.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// printSummary is a line for each of several runs.
func printSummary(w io.Writer, entries []reports.IndexEntry) {
	rows := [][]string{{"verdict", "run", "faults", "recovery", "took"}}
	for _, e := range entries {
		word := string(e.Verdict)
		if e.Skipped != "" {
			word = "SKIPPED"
		}
		rows = append(rows, []string{
			word, printable(e.Name()), e.Confirmed(), cmp.Or(e.Recovery(), "–"),
			reports.Value("tasks.wall", e.DurationS),
		})
	}
	fmt.Fprintln(w)
	_ = columns.Write(w, room(w), rows)
}

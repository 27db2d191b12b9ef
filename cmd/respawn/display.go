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

// display shows a run as it goes on, on standard error: on a terminal a bar under the news, elsewhere a line a second.
type display struct {
	w        io.Writer
	name     string
	live     bool // a terminal: the bar is drawn over itself
	colours  bool
	lastLine time.Duration
	second   time.Duration // since when news are counted
	news     int           // told since then
	quiet    int           // not told since then
}

func newDisplay(w io.Writer, name string) *display {
	live := isTerminal(w)
	return &display{w: w, name: name, lastLine: -time.Second, live: live, colours: live && wantsColour()}
}

// described is a writer with a file descriptor.
type described interface{ Fd() uintptr }

func isTerminal(w any) bool {
	f, ok := w.(described)
	return ok && term.IsTerminal(int(f.Fd()))
}

// wantsColour follows no-color.org.
func wantsColour() bool { return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" }

const barWidth = 24

// update takes the next state of the run.
func (d *display) update(p scenarios.Progress) {
	if d.live {
		if p.News != "" {
			fmt.Fprintf(d.w, "\r\x1b[K%8s  %s\n", clock(p.At), d.paint(p.News))
		}
		fmt.Fprintf(d.w, "\r\x1b[K%s", d.bar(p, width(d.w)-echo))
		return
	}
	stage := strings.HasPrefix(p.News, "stage ")
	if p.News != "" && !stage {
		d.tell(p)
	}
	if stage && p.Want > 0 || p.At-d.lastLine >= time.Second {
		d.lastLine = p.At
		d.line(p, figures(p))
	}
}

// echo is the room that is left for what a terminal writes there itself when Ctrl-C is pressed.
const echo = 3

// bar is the live line in so many columns: the figures whole, for they are what matters, and then as much of a bar and of the
// name as there is room for.
func (d *display) bar(p scenarios.Progress, columns int) string {
	text := figures(p)
	room := columns - len([]rune(text)) - 1
	name := d.name
	wide := min(barWidth, room-len([]rune(name))-1)
	if wide < 4 {
		name, wide = "", min(barWidth, room)
	}
	if wide < 4 {
		return cut(text, columns)
	}
	full := int(p.Done * float64(wide))
	return strings.TrimLeft(fmt.Sprintf("%s %s%s %s", name, strings.Repeat("█", full), strings.Repeat("░", wide-full), text), " ")
}

// newsPerSecond bounds the lines of a log: a storm of kills is told in figures, and in how many lines were left out.
const newsPerSecond = 20

// tell writes what just happened on a line of its own.
func (d *display) tell(p scenarios.Progress) {
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

func (d *display) line(p scenarios.Progress, text string) {
	fmt.Fprintf(d.w, "%s %8s  %-7s %s\n", d.name, clock(p.At), p.Stage, text)
}

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

// cut shortens a line that would not fit: a bar on two lines could not be drawn over.
func cut(s string, columns int) string {
	if r := []rune(s); len(r) > columns {
		return string(r[:columns-1]) + "…"
	}
	return s
}

// end clears the bar.
func (d *display) end() {
	switch {
	case d.live:
		fmt.Fprint(d.w, "\r\x1b[K")
	case d.quiet > 0:
		fmt.Fprintf(d.w, "%s %d more lines left out\n", d.name, d.quiet)
	}
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
func figures(p scenarios.Progress) string {
	if p.Want == 0 {
		return "starting"
	}
	s := fmt.Sprintf("ready %d/%d", p.Ready, p.Want)
	if p.Bad > 0 {
		s += fmt.Sprintf(", %s bad", reports.Number(p.Bad))
	}
	s += fmt.Sprintf(", %s confirmed", counted(p.Confirmed, "fault"))
	if p.Failed > 0 {
		s += fmt.Sprintf(", %d not", p.Failed)
	}
	if deaths := p.Recovered + p.Waiting; deaths > 0 {
		s += fmt.Sprintf(", %d of %s recovered", p.Recovered, counted(deaths, "death"))
	}
	s += ", " + counted(p.Tasks, "task")
	if p.Cancelled > 0 {
		s += fmt.Sprintf(", %d cancelled", p.Cancelled)
	}
	return s
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return reports.Number(n) + " " + noun
}

func clock(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// paint colours a piece of news.
func (d *display) paint(news string) string {
	news = printable(news)
	switch {
	case !d.colours:
	case strings.Contains(news, ": back as pid "):
		return "\x1b[32m" + news + "\x1b[0m"
	case strings.HasSuffix(news, "confirmed"):
		return "\x1b[33m" + news + "\x1b[0m"
	case strings.HasPrefix(news, "#"):
		return "\x1b[31m" + news + "\x1b[0m"
	}
	return news
}

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
		rows = append(rows, []string{word, printable(e.Name()), e.Confirmed(), cmp.Or(e.Recovery(), "–"), reports.Value("tasks.wall", e.DurationS)})
	}
	fmt.Fprintln(w)
	_ = columns.Write(w, room(w), rows)
}

package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/respawn-go/respawn/internal/columns"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// panel shows a run on a terminal, in place: how far it is, its figures, a cell for each slot, and what happened last.
// A goroutine of its own draws, so that a terminal that was stopped holds up nobody. The cursor stays below what was
// drawn and is never hidden: however the command ends, there is nothing to restore.
type panel struct {
	w       io.Writer
	name    string
	colours bool
	size    func() (columns, rows int)
	stop    chan struct{}
	stopped chan struct{} // closed once the panel is gone from the terminal
	ending  sync.Once

	mu    sync.Mutex
	p     scenarios.Progress
	at    time.Time  // when p was told
	news  []happened // the last ones
	said  string     // lines that are to stay on the terminal, above the panel
	fresh bool       // something is to be drawn
	ended bool

	// Of the goroutine that draws:
	drawn []int // the lengths of the lines that are there
	wide  int   // the columns that they were drawn for
}

// happened is a piece of news.
type happened struct {
	at   time.Duration
	text string
}

const (
	drawEvery = 100 * time.Millisecond // also how soon the panel follows the size of the window
	tickEvery = time.Second            // where nothing happens, for the clock
	mostNews  = 8
	leastNews = 3 // that slots leave room for
	barWidth  = 24
)

func newPanel(w io.Writer, name string) *panel {
	d := &panel{
		w: w, name: printable(name), colours: wantsColour(), stop: make(chan struct{}), stopped: make(chan struct{}),
		at: time.Now(),
	}
	d.size = func() (int, int) { return extent(w) }
	go d.watch()
	return d
}

// extent is the size of the terminal now.
func extent(w io.Writer) (columns, rows int) {
	if f, ok := w.(described); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 1 && rows > 1 {
			return columns, rows
		}
	}
	return 80, 24
}

func (d *panel) update(p scenarios.Progress) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p.News != "" {
		if len(d.news) == mostNews {
			d.news = append(d.news[:0], d.news[1:]...)
		}
		d.news = append(d.news, happened{p.At, printable(p.News)})
	}
	d.p, d.at, d.fresh = p, time.Now(), true
}

// say puts lines above the panel, where they stay. It is false when there is no panel any more.
func (d *panel) say(lines string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said, d.fresh = d.said+lines, true
	return !d.ended
}

// end takes the panel off the terminal.
func (d *panel) end() {
	d.ending.Do(func() {
		d.mu.Lock()
		d.ended = true
		d.mu.Unlock()
		close(d.stop)
	})
	wait(d.stopped)
}

// watch draws whenever there is something new, the clock is to go on, or the window has another size.
func (d *panel) watch() {
	defer close(d.stopped)
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-d.stop:
			wide, _ := d.size()
			d.draw(nil, wide)
			return
		case <-tick.C:
		}
		wide, high := d.size()
		d.mu.Lock()
		p, at, news, fresh := d.p, d.at, append([]happened(nil), d.news...), d.fresh
		d.fresh = false
		d.mu.Unlock()
		if !fresh && wide == d.wide && time.Since(last) < tickEvery {
			continue
		}
		last = time.Now()
		if p.Stage != "" {
			p.At += time.Since(at)
		}
		d.draw(d.lines(p, news, wide, high), wide)
	}
}

// draw puts these lines in the place of those that are there, in one write, which is shown whole where the terminal can
// do that. What was drawn for a wider window is taken to be broken into several rows by now, as terminals do; what has
// left the window thereby stays where it is scrolled back to.
func (d *panel) draw(lines []line, wide int) {
	up := 0
	for _, n := range d.drawn {
		up += max(1, (n+wide-1)/max(1, wide))
	}
	var out strings.Builder
	out.WriteString("\x1b[?2026h\r")
	if up > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", up)
	}
	d.mu.Lock()
	said := d.said
	d.said = ""
	d.mu.Unlock()
	if said != "" || wide != d.wide || len(lines) == 0 {
		out.WriteString("\x1b[J" + said)
	}
	out.WriteString("\x1b[?7l") // what takes more room than it should must not begin a row of its own
	d.drawn, d.wide = d.drawn[:0], wide
	for _, l := range lines {
		d.drawn = append(d.drawn, l.length())
		out.WriteString(l.paint(d.colours) + "\x1b[K\n")
	}
	out.WriteString("\x1b[?7h\x1b[J\x1b[?2026l")
	_, _ = io.WriteString(d.w, out.String())
}

// line is one of the panel, in pieces of one colour each.
type line []piece

type piece struct{ text, colour string }

func plain(text string) line { return line{{text, ""}} }

func (l line) length() (n int) {
	for _, p := range l {
		n += len([]rune(p.text))
	}
	return n
}

func (l line) paint(colours bool) string {
	var out strings.Builder
	for _, p := range l {
		if colours && p.colour != "" {
			out.WriteString("\x1b[" + p.colour + "m" + p.text + "\x1b[0m")
		} else {
			out.WriteString(p.text)
		}
	}
	return out.String()
}

// lines is the panel for a window of that size, its last column and its last row left free: figures whole on as many
// lines as they take, then the slots, then what happened last, as far as there is room.
func (d *panel) lines(p scenarios.Progress, news []happened, wide, high int) (list []line) {
	wide, high = max(1, wide-1), max(1, high-1)
	for _, text := range flow(figures(p), wide) {
		list = append(list, plain(text))
	}
	head := d.head(p, wide)
	if len(head)+len(list) <= high {
		list = append(head, list...)
	}
	list = append(list, slots(p.Slots, wide, high-len(list))...)
	news = news[max(0, len(news)-max(0, high-len(list))):]
	for _, n := range news {
		list = append(list, line{{cut(fmt.Sprintf("%8s  %s", clock(n.at), n.text), wide), shadeOf(n.text)}})
	}
	return list[:min(len(list), high)]
}

// head is the name, the stage, and how much of the run is over.
func (d *panel) head(p scenarios.Progress, wide int) (list []line) {
	left := (p.Planned - p.At).Round(time.Second)
	parts := []string{p.Stage, p.At.Truncate(time.Second).String()}
	switch {
	case p.Planned == 0 || p.Stage == "":
	case left > 0:
		parts = append(parts, left.String()+" left")
	default:
		parts = append(parts, "longer than planned")
	}
	text := strings.Join(parts, ", ")
	if len([]rune(d.name))+2+len(text) > wide {
		list = append(list, line{{cut(d.name, wide), bold}})
		for _, text := range flow(parts, wide) {
			list = append(list, plain(text))
		}
		return list
	}
	text = "  " + text
	if bar := min(barWidth, wide-len([]rune(d.name))-len(text)-2); bar >= 4 && p.Planned > 0 {
		full := int(min(1, p.At.Seconds()/p.Planned.Seconds()) * float64(bar))
		text += "  " + strings.Repeat("█", full) + strings.Repeat("░", bar-full)
	}
	return []line{{{d.name, bold}, {text, ""}}}
}

// looks are how the states of slots look and are called.
var looks = [...]struct{ mark, colour, word string }{
	scenarios.SlotUp:       {"■", "32", "up"},
	scenarios.SlotAbsent:   {"·", "", "empty"},
	scenarios.SlotStarting: {"□", "36", "starting"},
	scenarios.SlotStruck:   {"!", "33", "struck"},
	scenarios.SlotDown:     {"×", "31", "down"},
}

// slots is a cell for each slot, and before them how many are in which state. Where there is no room for so many, a
// cell stands for several and shows the one of them that asks most for attention.
func slots(states []scenarios.SlotState, wide, high int) (list []line) {
	if len(states) == 0 {
		return nil
	}
	var count [len(looks)]int
	for _, s := range states {
		count[s]++
	}
	each := 1
	legend := func() (list []line) {
		var parts []string
		for s, n := range count {
			if n > 0 {
				parts = append(parts, reports.Number(n)+" "+looks[s].word+" "+looks[s].mark)
			}
		}
		if each > 1 {
			parts = append(parts, fmt.Sprintf("a cell is %d slots", each))
		}
		for _, text := range flow(parts, wide) {
			list = append(list, plain(text))
		}
		return list
	}
	cells := func() int { return (len(states) + each - 1) / each }
	for each < len(states) && len(legend())+(cells()+wide-1)/wide > high-leastNews {
		each++
	}
	list = legend()
	for from := 0; from < cells(); from += wide {
		var l line
		for c := from; c < min(from+wide, cells()); c++ {
			worst := scenarios.SlotUp
			for _, s := range states[c*each : min((c+1)*each, len(states))] {
				worst = max(worst, s)
			}
			look := looks[worst]
			if n := len(l); n > 0 && l[n-1].colour == look.colour {
				l[n-1].text += look.mark
			} else {
				l = append(l, piece{look.mark, look.colour})
			}
		}
		list = append(list, l)
	}
	return list[:min(len(list), max(0, high))]
}

// flow puts the parts on lines of so many columns, broken between two of them where that is possible.
func flow(parts []string, wide int) (lines []string) {
	for i, part := range parts {
		if i < len(parts)-1 {
			part += ","
		}
		if n := len(lines); n > 0 && len([]rune(lines[n-1]))+1+len([]rune(part)) <= wide {
			lines[n-1] += " " + part
		} else {
			lines = append(lines, columns.Wrap(part, wide)...)
		}
	}
	return lines
}

// cut shortens a line that would not fit.
func cut(s string, columns int) string {
	if r := []rune(s); len(r) > columns {
		return string(r[:columns-1]) + "…"
	}
	return s
}

const bold = "1"

// shadeOf is the colour of a piece of news.
func shadeOf(news string) string {
	switch {
	case strings.Contains(news, ": back as pid "):
		return "32"
	case strings.HasSuffix(news, "confirmed"):
		return "33"
	case strings.HasPrefix(news, "#"):
		return "31"
	}
	return ""
}

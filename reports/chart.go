package reports

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Figure is one drawing of the page with its equivalent as text: a title, a description and a table of its data.
type Figure struct {
	ID, Title, Desc string
	SVG             template.HTML
	Class           string // of its size: "", "half" or "small"
	Columns         []string
	Rows            [][]string
	Note            string   // what was left out
	Ghosts          []string // what is drawn of the baseline, in words
	Legend          []Key
}

// Key is one entry of a legend: a mark of that class and what it means.
type Key struct{ Class, Text string }

// SVG is the mark as it is in the drawing.
func (k Key) SVG() template.HTML {
	var mark string
	switch look := looks[k.Class]; {
	case strings.HasPrefix(k.Class, "kind"):
		n, _ := strconv.Atoi(k.Class[len("kind"):])
		mark = fmt.Sprintf(`<path class="hit"%s d="M9 6%s"/>`, looks["hit"], shapes[n])
	case k.Class == "bad", k.Class == "never":
		mark = fmt.Sprintf(`<path class="%s"%s d="M9 6%s"/>`, k.Class, look, cross)
	case strings.HasPrefix(k.Class, "heat"):
		n, _ := strconv.Atoi(k.Class[len("heat"):])
		side := 12 * heatShare(n)
		mark = fmt.Sprintf(`<rect class="%s"%s x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
			k.Class, look, 9-side/2, 6-side/2, side, side)
	case k.Class == "point":
		mark = fmt.Sprintf(`<circle class="point"%s cx="9" cy="6" r="3"/>`, look)
	case strings.Contains(look, "stroke"):
		mark = fmt.Sprintf(`<path class="%s"%s d="M0 6H18"/>`, k.Class, look)
		if k.Class == "fault" || k.Class == "tick" || k.Class == "low" {
			mark = fmt.Sprintf(`<path class="%s"%s d="M9 0V12"/>`, k.Class, look)
		}
	case k.Class == "boot":
		mark = fmt.Sprintf(`<rect class="boot"%s x="0" y="5" width="18" height="3"/>`, look)
	case k.Class == "dead":
		mark = fmt.Sprintf(`<rect class="dead"%s x="8" y="0" width="2.5" height="12"/>`, look)
	default:
		mark = fmt.Sprintf(`<rect class="%s"%s x="0" y="1" width="18" height="10"/>`, k.Class, look)
	}
	//nolint:gosec // our own
	return template.HTML(`<svg class="key" width="18" height="12" viewBox="0 0 18 12" aria-hidden="true">` + mark +
		`</svg>`)
}

// looks are the classes' colours as attributes, for where the page's style is not applied, as by the policy that
// Jenkins serves artifacts with. The style decides them for light, dark and print. What differs in colour differs in
// form, or in its dashes, too.
var looks = map[string]string{
	"grid": ` fill="none" stroke="#d8dee4"`, "band": ` fill="#fff8e5"`,
	"line":  ` fill="none" stroke="#0969da" stroke-width="1.75"`,
	"line2": ` fill="none" stroke="#8250df" stroke-width="1.75" stroke-dasharray="7 4"`,
	"line3": ` fill="none" stroke="#bc4c00" stroke-width="1.75" stroke-dasharray="2 3"`,
	"area":  ` fill="#0969da" opacity=".16"`, "area2": ` fill="#8250df" opacity=".13"`,
	"want":   ` fill="none" stroke="#6e7781" stroke-width="1.75" stroke-dasharray="3 4"`,
	"ghost":  ` fill="none" stroke="#6e7781" stroke-width="4" stroke-opacity=".6"`,
	"ghosts": ` fill="#6e7781" opacity=".2"`,
	"limit":  ` fill="none" stroke="#cf222e" stroke-width="1.75" stroke-dasharray="8 4"`,
	"mean":   ` fill="none" stroke="#bc4c00" stroke-width="1.75" stroke-dasharray="6 3"`,
	"low":    ` fill="none" stroke="#4c6a85"`, "fault": ` fill="none" stroke="#cf222e" stroke-opacity=".3"`,
	"tick": ` fill="none" stroke="#4c6a85"`, "hit": ` fill="#cf222e"`,
	"bar": ` fill="#218bff"`, "boot": ` fill="#858f99"`, "dead": ` fill="#7d4e00"`, "bad": ` fill="#cf222e"`,
	"failed": ` fill="#cf222e"`, "cool": ` fill="#e4e8ec"`, "heat0": ` fill="#57606a"`, "heat1": ` fill="#b08800"`,
	"heat2": ` fill="#bc4c00"`, "heat3": ` fill="#a40e26"`, "heat4": ` fill="#4c0a13"`,
	"point": ` fill="#0969da"`, "never": ` fill="#cf222e"`,
}

// shapes are the marks of the kinds of faults, each around the point where its path is: a triangle that points down, a
// square, a diamond, two bars, a plus, a triangle that points up, an hourglass, and a flat bar for all further kinds.
var shapes = [...]string{
	"m-4-3.5h8l-4 7z", "m-3.5-3.5h7v7h-7z", "m0-4.5l4.5 4.5l-4.5 4.5l-4.5-4.5z",
	"m-3.5-4h2.4v8h-2.4zm4.6 0h2.4v8h-2.4z", "m-1.2-4.5h2.4v3.3h3.3v2.4h-3.3v3.3h-2.4v-3.3h-3.3v-2.4h3.3z",
	"m0-4l4.5 8h-9z", "m-4-4h8l-8 8h8z", "m-4-1.5h8v3h-8z",
}

// cross is the gravest mark.
const cross = "m-5-3.5l1.5-1.5l3.5 3.5l3.5-3.5l1.5 1.5l-3.5 3.5l3.5 3.5l-1.5 1.5l-3.5-3.5l-3.5 3.5l-1.5-1.5l3.5-3.5z"

// chart draws into a plane of data coordinates.
type chart struct {
	b              strings.Builder
	width, height  float64
	left, bottom   float64
	x0, x1, y0, y1 float64 // of the data
	log, logX      bool    // an axis of powers of ten
	time           bool    // x is the time of the run
	words          []place // that word has put down
}

const (
	wideChart  = 960
	halfChart  = 470
	topMargin  = 22
	rightSpace = 24
)

func newChart(width, height, left, x1, y1 float64) *chart {
	return &chart{width: width, height: height, left: left, bottom: 26, x1: max(x1, 1e-9), y1: max(y1, 1e-9)}
}

// part is where a value is between two bounds, from 0 to 1.
func part(v, from, to float64, log bool) float64 {
	if log {
		return math.Log(max(v, from)/from) / math.Log(to/from)
	}
	return (v - from) / (to - from)
}

func (c *chart) px(x float64) float64 {
	return c.left + part(x, c.x0, c.x1, c.logX)*(c.width-c.left-rightSpace)
}

func (c *chart) py(y float64) float64 {
	return c.height - c.bottom - part(y, c.y0, c.y1, c.log)*(c.height-c.bottom-topMargin)
}

func (c *chart) add(format string, args ...any) { fmt.Fprintf(&c.b, format, args...) }

// rect is a bar between two points of the data; its title shows when it is pointed at.
func (c *chart) rect(class string, x0, y0, x1, y1 float64, title string) {
	l, r, t, b := c.px(x0), c.px(x1), c.py(y1), c.py(y0)
	c.add(`<rect class="%s"%s x="%.1f" y="%.1f" width="%.1f" height="%.1f">%s</rect>`,
		class, looks[class], l, t, max(r-l, 1), max(b-t, 1), titled(title))
}

// line joins points; NaN breaks it.
func (c *chart) line(class string, xs, ys []float64) {
	var path strings.Builder
	pen := "M"
	for i := range xs {
		if math.IsNaN(ys[i]) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, c.px(xs[i]), c.py(ys[i]))
		if pen == "M" {
			path.WriteString("h.1") // a point with none beside it is to be seen too
		}
		pen = "L"
	}
	c.add(`<path class="%s"%s d="%s"/>`, class, looks[class], path.String())
}

// steps joins points by horizontal lines: a value holds until the next.
func (c *chart) steps(class string, xs, ys []float64, end float64) {
	var path strings.Builder
	for i := range xs {
		pen := "L"
		if i == 0 {
			pen = "M"
		}
		next := end
		if i+1 < len(xs) {
			next = xs[i+1]
		}
		fmt.Fprintf(&path, "%s%.1f %.1fL%.1f %.1f", pen, c.px(xs[i]), c.py(ys[i]), c.px(next), c.py(ys[i]))
	}
	c.add(`<path class="%s"%s d="%s"/>`, class, looks[class], path.String())
}

func (c *chart) dot(class string, x, y float64, title string) {
	c.add(`<circle class="%s"%s cx="%.1f" cy="%.1f" r="3">%s</circle>`,
		class, looks[class], c.px(x), c.py(y), titled(title))
}

// area fills what is between two lines; where either is NaN there is nothing.
func (c *chart) area(class string, xs, low, high []float64) {
	for i := 0; i < len(xs); {
		j := i
		for j < len(xs) && !math.IsNaN(low[j]) && !math.IsNaN(high[j]) {
			j++
		}
		if j-i > 1 {
			var path strings.Builder
			pen := "M"
			for k := i; k < j; k++ {
				fmt.Fprintf(&path, "%s%.1f %.1f", pen, c.px(xs[k]), c.py(high[k]))
				pen = "L"
			}
			for k := j - 1; k >= i; k-- {
				fmt.Fprintf(&path, "L%.1f %.1f", c.px(xs[k]), c.py(low[k]))
			}
			c.add(`<path class="%s"%s d="%sZ"/>`, class, looks[class], path.String())
		}
		i = j + 1
	}
}

// across is a horizontal line from one time to another, with a word above its end.
func (c *chart) across(class string, from, to, y float64, word string) {
	c.add(`<path class="%s"%s d="M%.1f %.1fH%.1f"/>`, class, looks[class], c.px(from), c.py(y), c.px(to))
	c.word(to, y, word)
}

// word is one that ends above a point, or higher where another word is.
func (c *chart) word(x, y float64, word string) {
	const letter, line = 7.0, 13.0 // of the words, about, and rather too much
	width := letter * float64(len([]rune(word)))
	w := place{x: max(c.left+2, c.px(x)-width), y: c.py(y) - 4, width: width}
	for up, tries := true, 0; tries < 2*len(c.words)+2; tries++ {
		i := slices.IndexFunc(c.words, func(o place) bool {
			return math.Abs(o.y-w.y) < line && o.x < w.x+w.width && w.x < o.x+o.width
		})
		if i < 0 {
			break
		}
		if up = up && c.words[i].y-line > topMargin; up {
			w.y = c.words[i].y - line
		} else {
			w.y = c.words[i].y + line
		}
	}
	c.words = append(c.words, w)
	c.add(`<text class="word" x="%.1f" y="%.1f">%s</text>`, w.x, w.y, escape(word))
}

// place is where a word is: the left end of its base line, and its width.
type place struct{ x, y, width float64 }

// mark is a vertical line at a place of the x axis.
func (c *chart) mark(class string, x float64, title string) {
	c.add(`<path class="%s"%s d="M%.1f %dV%.1f">%s</path>`, class, looks[class], c.px(x), topMargin, c.height-c.bottom,
		titled(title))
}

// marks are vertical lines in one path; those that would fall upon another are left out.
func (c *chart) marks(class string, xs []float64) {
	var path strings.Builder
	last := math.Inf(-1)
	for _, x := range xs {
		if at := c.px(x); math.Abs(at-last) >= 0.5 {
			fmt.Fprintf(&path, "M%.1f %dV%.1f", at, topMargin, c.height-c.bottom)
			last = at
		}
	}
	if path.Len() > 0 {
		c.add(`<path class="%s"%s d="%s"/>`, class, looks[class], path.String())
	}
}

// linked makes what draw draws a link to a place of the page. Keys pass it by: the ledgers have the same links, and a
// drawing may have a thousand of these.
func (c *chart) linked(href string, draw func()) {
	c.add(`<a href="%s" tabindex="-1">`, href)
	draw()
	c.add(`</a>`)
}

// sign is a mark around a point of the drawing.
func (c *chart) sign(class, shape string, x, y float64, title string) {
	c.add(`<path class="%s"%s d="M%.1f %.1f%s">%s</path>`, class, looks[class], x, y, shape, titled(title))
}

func (c *chart) label(x, y float64, anchor, text string) {
	c.add(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, escape(text))
}

// escape is text for SVG, without control characters.
func escape(s string) string { return html.EscapeString(safe(s)) }

func titled(s string) string {
	if s == "" {
		return ""
	}
	return "<title>" + escape(s) + "</title>"
}

// axes draws ticks and their lines: x below, values left.
func (c *chart) axes(x, y axis) {
	for _, v := range x.ticks(c.x0, c.x1, max(3, int(c.width/100)), c.logX) {
		c.add(`<path class="grid"%s d="M%.1f %dV%.1f"/>`, looks["grid"], c.px(v), topMargin, c.height-c.bottom)
		c.label(c.px(v), c.height-c.bottom+16, "middle", x.text(v))
	}
	if y.text == nil {
		return
	}
	for _, v := range y.ticks(c.y0, c.y1, max(2, int(c.height/50)), c.log) {
		c.add(`<path class="grid"%s d="M%.1f %.1fH%.1f"/>`, looks["grid"], c.left, c.py(v), c.width-rightSpace)
		c.label(c.left-6, c.py(v)+4, "end", y.text(v))
	}
}

// svg is the drawing, named for assistive technology by its figure's title and description.
func (c *chart) svg(id, title, desc string) template.HTML {
	role := "img"
	if strings.Contains(c.b.String(), "<a ") { // an image has nothing within it that could be followed
		role = "group"
	}
	axis := ""
	if c.time {
		axis = fmt.Sprintf(` data-time="%g %g %g %g"`, c.x0, c.x1, c.left, c.width-rightSpace)
	}
	return template.HTML(fmt.Sprintf( //nolint:gosec // every text in it was escaped
		`<svg`+axis+` viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" fill="#57606a" font-family="sans-serif" font-size="12" role="%s" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>%s</svg>`,
		c.width, c.height, c.width, c.height, role, id, id, id, escape(title), id, escape(desc), c.b.String()))
}

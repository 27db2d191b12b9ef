package reports

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
)

// Figure is one drawing of the page with its equivalent as text: a title, a description and a table of its data.
type Figure struct {
	ID, Title, Desc string
	SVG             template.HTML
	Class           string // of its size: "", "half" or "small"
	Columns         []string
	Rows            [][]string
	Note            string // what was left out
	Legend          []Key
}

// Key is one entry of a legend: a mark of that class and what it means.
type Key struct{ Class, Text string }

// chart draws into a plane of data coordinates. Colours are classes, so that the page's style decides them for light,
// dark and print.
type chart struct {
	b              strings.Builder
	width, height  float64
	left, bottom   float64
	x0, x1, y0, y1 float64 // of the data
	log, logX      bool    // an axis of powers of ten
	words          []place // that across has put down
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
	c.add(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f">%s</rect>`, class, l, t, max(r-l, 1), max(b-t, 1), titled(title))
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
	c.add(`<path class="%s" d="%s"/>`, class, path.String())
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
	c.add(`<path class="%s" d="%s"/>`, class, path.String())
}

func (c *chart) dot(class string, x, y float64, title string) {
	c.add(`<circle class="%s" cx="%.1f" cy="%.1f" r="3">%s</circle>`, class, c.px(x), c.py(y), titled(title))
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
			c.add(`<path class="%s" d="%sZ"/>`, class, path.String())
		}
		i = j + 1
	}
}

// across is a horizontal line from one time to another, with a word above its end, or higher where another word is.
func (c *chart) across(class string, from, to, y float64, word string) {
	const letter, line = 7.0, 13.0 // of the words, about, and rather too much
	c.add(`<path class="%s" d="M%.1f %.1fH%.1f"/>`, class, c.px(from), c.py(y), c.px(to))
	width := letter * float64(len([]rune(word)))
	w := place{x: max(c.left+2, c.px(to)-width), y: c.py(y) - 4, width: width}
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
	c.add(`<path class="%s" d="M%.1f %dV%.1f">%s</path>`, class, c.px(x), topMargin, c.height-c.bottom, titled(title))
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
		c.add(`<path class="%s" d="%s"/>`, class, path.String())
	}
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
		c.add(`<path class="grid" d="M%.1f %dV%.1f"/>`, c.px(v), topMargin, c.height-c.bottom)
		c.label(c.px(v), c.height-c.bottom+16, "middle", x.text(v))
	}
	if y.text == nil {
		return
	}
	for _, v := range y.ticks(c.y0, c.y1, max(2, int(c.height/50)), c.log) {
		c.add(`<path class="grid" d="M%.1f %.1fH%.1f"/>`, c.left, c.py(v), c.width-rightSpace)
		c.label(c.left-6, c.py(v)+4, "end", y.text(v))
	}
}

// svg is the drawing, named for assistive technology by its figure's title and description.
func (c *chart) svg(id, title, desc string) template.HTML {
	return template.HTML(fmt.Sprintf( //nolint:gosec // every text in it was escaped
		`<svg viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>%s</svg>`,
		c.width, c.height, id, id, id, escape(title), id, escape(desc), c.b.String()))
}

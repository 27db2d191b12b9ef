package reports

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// Figure is one drawing of the page with its equivalent as text: a title, a description and a table of its data.
type Figure struct {
	ID, Title, Desc string
	SVG             template.HTML
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
	log            bool    // the y axis
}

const (
	chartWidth = 960
	topMargin  = 12
	rightSpace = 28
)

func newChart(height, left, x1, y1 float64) *chart {
	return &chart{width: chartWidth, height: height, left: left, bottom: 28, x1: max(x1, 1e-9), y1: max(y1, 1e-9)}
}

func (c *chart) px(x float64) float64 {
	return c.left + (x-c.x0)/(c.x1-c.x0)*(c.width-c.left-rightSpace)
}

func (c *chart) py(y float64) float64 {
	part := (y - c.y0) / (c.y1 - c.y0)
	if c.log {
		part = math.Log(max(y, c.y0)/c.y0) / math.Log(c.y1/c.y0)
	}
	return c.height - c.bottom - part*(c.height-c.bottom-topMargin)
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

// across is a horizontal line over the whole plane, with a word at its end.
func (c *chart) across(class string, y float64, word string) {
	c.add(`<path class="%s" d="M%.1f %.1fH%.1f"/>`, class, c.left, c.py(y), c.width-rightSpace)
	c.add(`<text class="word" x="%.1f" y="%.1f" text-anchor="end">%s</text>`, c.width-rightSpace, c.py(y)-3, html.EscapeString(word))
}

// mark is a vertical line at a time.
func (c *chart) mark(class string, x float64, title string) {
	c.add(`<path class="%s" d="M%.1f %.1fV%.1f">%s</path>`, class, c.px(x), float64(topMargin), c.height-c.bottom, titled(title))
}

func (c *chart) label(x, y float64, anchor, text string) {
	c.add(`<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, x, y, anchor, html.EscapeString(text))
}

func titled(s string) string {
	if s == "" {
		return ""
	}
	return "<title>" + html.EscapeString(s) + "</title>"
}

// axes draws ticks and their lines: times below, values left.
func (c *chart) axes(value func(float64) string) {
	for _, x := range ticks(c.x0, c.x1, 8) {
		c.add(`<path class="grid" d="M%.1f %.1fV%.1f"/>`, c.px(x), float64(topMargin), c.height-c.bottom)
		c.label(c.px(x), c.height-c.bottom+16, "middle", seconds(x))
	}
	if value == nil {
		return
	}
	list := ticks(c.y0, c.y1, 4)
	if c.log {
		list = decades(c.y0, c.y1)
	}
	for _, y := range list {
		c.add(`<path class="grid" d="M%.1f %.1fH%.1f"/>`, c.left, c.py(y), c.width-rightSpace)
		c.label(c.left-6, c.py(y)+4, "end", value(y))
	}
}

// svg is the drawing, named for assistive technology by its figure's title and description.
func (c *chart) svg(id, title, desc string) template.HTML {
	return template.HTML(fmt.Sprintf( //nolint:gosec // every text in it was escaped
		`<svg viewBox="0 0 %.0f %.0f" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>%s</svg>`,
		c.width, c.height, id, id, id, html.EscapeString(title), id, html.EscapeString(desc), c.b.String()))
}

// ticks are round numbers between two bounds, about as many as wanted.
func ticks(from, to float64, about int) (list []float64) {
	if !(to > from) {
		return nil
	}
	raw := (to - from) / float64(about)
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if unit*m >= raw {
			unit *= m
			break
		}
	}
	for v := math.Ceil(from/unit) * unit; v <= to+unit/1e6; v += unit {
		list = append(list, v)
	}
	return list
}

// decades are the powers of ten between two bounds.
func decades(from, to float64) (list []float64) {
	for v := math.Pow(10, math.Ceil(math.Log10(from)-1e-9)); v <= to*1.0001; v *= 10 {
		list = append(list, v)
	}
	return list
}

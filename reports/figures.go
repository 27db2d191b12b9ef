package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// figures draws everything there is data for, in the order of the page.
func (r *Report) figures() []Figure {
	p := &r.plots
	var list []Figure
	for _, f := range []*Figure{r.lanesFigure(), p.readyFigure(r), r.recoveryFigure(), r.spreadFigure(), p.loadFigure(r), p.latencyFigure(r)} {
		if f != nil {
			list = append(list, *f)
		}
	}
	return append(append(list, p.hostFigures(r)...), p.pressureFigures(r)...)
}

// bands shades the stage of the faults, names the stages, and marks the faults.
func (r *Report) bands(c *chart, marks bool) {
	free := 0.0 // where there is room for the next name
	for i, s := range r.plots.stages {
		from, to := s.at.Seconds(), r.DurationS
		if i+1 < len(r.plots.stages) {
			to = r.plots.stages[i+1].at.Seconds()
		}
		if s.name == "chaos" {
			c.rect("band", from, c.y0, to, c.y1, "stage chaos")
		}
		if x := c.px(from); x >= free && c.px(to)-x > 8*float64(len(s.name)) {
			c.add(`<text class="stage" x="%.1f" y="%d">%s</text>`, x+2, topMargin-8, escape(s.name))
			free = x + 8*float64(len(s.name))
		}
	}
	if !marks {
		return
	}
	var at []float64
	for _, f := range r.Faults {
		if f.Outcome == history.Confirmed {
			at = append(at, f.AtS)
		}
	}
	c.marks("fault", at)
}

// readyFigure is the number of ready members over time against what is wanted.
func (p *plots) readyFigure(r *Report) *Figure {
	var xs, ready, want []float64
	most := 1.0
	f := &Figure{
		ID: "ready", Title: "Ready members", Columns: []string{"from", "ready, on average", "ready, fewest", "ready, at the end", "wanted"},
		Desc: "How many members were ready over time, against how many were wanted: the average of each moment, weighted by time, and the " +
			"fewest in it. The stage of the faults is shaded, each confirmed one is a line.",
		Legend: []Key{{"line", "ready, on average"}, {"low", "down to the fewest"}, {"want", "wanted"}, {"fault", "confirmed fault"}},
	}
	if len(p.ready.list) == 0 { // a run that never began has no bins at all
		return nil
	}
	if !p.stopped {
		p.hold(time.Duration(r.DurationS * float64(time.Second)))
	}
	end := r.DurationS
	if n := len(p.stages); p.stopped && n > 0 {
		end = p.stages[n-1].at.Seconds()
	}
	width := p.ready.width.Seconds()
	var dips strings.Builder
	for i, b := range p.ready.list {
		if !b.seen {
			continue
		}
		x := float64(i) * width
		xs, ready, want = append(xs, x), append(ready, b.mean()), append(want, float64(b.want))
		most = max(most, float64(b.last), float64(b.want), b.mean())
		f.Rows = append(f.Rows, []string{seconds(x), three(b.mean()), whole(float64(b.fewest)), whole(float64(b.last)), whole(float64(b.want))})
	}
	if len(xs) == 0 {
		return nil
	}
	end = max(end, xs[len(xs)-1])
	c := newChart(wideChart, 190, 56, r.DurationS, most*1.1)
	r.bands(c, true)
	c.axes(times, counts)
	for i, b := range p.ready.list {
		if b.seen && float64(b.fewest) < b.mean() {
			fmt.Fprintf(&dips, "M%.1f %.1fV%.1f", c.px((float64(i)+0.5)*width), c.py(b.mean()), c.py(float64(b.fewest)))
		}
	}
	if dips.Len() > 0 {
		c.add(`<path class="low"%s d="%s"/>`, looks["low"], dips.String())
	}
	c.steps("want", xs, want, end)
	c.steps("line", xs, ready, end)
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

// loadFigure is tasks settled per second.
func (p *plots) loadFigure(r *Report) *Figure {
	if len(p.load.list) == 0 {
		return nil
	}
	f := &Figure{
		ID: "throughput", Title: "Throughput", Columns: []string{"from", "ok per second", "not ok per second"},
		Desc:   "Tasks settled per second over time, and the mean of each stage: before, during and after the faults.",
		Legend: []Key{{"line", "ok"}, {"failed", "not ok"}, {"mean", "mean of the stage"}, {"fault", "confirmed fault"}},
	}
	var xs, ok, bad []float64
	most, width := 1.0, p.load.width.Seconds()
	for i, b := range p.load.list {
		x := float64(i) * width
		xs, ok, bad = append(xs, x), append(ok, float64(b.ok)/width), append(bad, float64(b.bad)/width)
		most = max(most, float64(b.ok)/width, float64(b.bad)/width)
		f.Rows = append(f.Rows, []string{seconds(x), three(ok[i]), three(bad[i])})
	}
	c := newChart(wideChart, 210, 64, r.DurationS, most*1.15)
	r.bands(c, true)
	c.axes(times, rates)
	c.steps("line", xs, ok, min(xs[len(xs)-1]+width, r.DurationS))
	for i, v := range bad {
		if v > 0 {
			c.rect("failed", xs[i], 0, xs[i]+width, v, three(v)+"/s not ok")
		}
	}
	for _, w := range [][2]string{{"steady", "before"}, {"chaos", "during"}, {"settle", "after"}} {
		v, known := r.Metrics["tasks.throughput."+w[1]]
		if from, to, there := r.stage(w[0]); known && there && v > 0 && v <= c.y1 {
			c.across("mean", from, to, v, three(v)+"/s "+w[1])
		}
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

// stage is when a part of the run was.
func (r *Report) stage(name string) (from, to float64, ok bool) {
	for i, s := range r.plots.stages {
		if s.name == name {
			to = r.DurationS
			if i+1 < len(r.plots.stages) {
				to = r.plots.stages[i+1].at.Seconds()
			}
			return s.at.Seconds(), to, true
		}
	}
	return 0, 0, false
}

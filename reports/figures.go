package reports

import (
	"github.com/respawn-go/respawn/chaos/history"
)

// figures draws everything there is data for, in the order of the page.
func (r *Report) figures(before ghost) []Figure {
	var list []Figure
	for _, f := range []*Figure{
		r.lanesFigure(), r.heatFigure(), r.readyFigure(), r.recoveryFigure(before),
		r.spreadFigure(before), r.loadFigure(before), r.latencyFigure(before),
	} {
		if f != nil {
			list = append(list, *f)
		}
	}
	return append(append(list, r.hostFigures()...), r.pressureFigures()...)
}

// bands shades the stage of the faults, names the stages, and marks the faults.
func (r *Report) bands(c *chart, marks bool) {
	c.time = true
	free := 0.0 // where there is room for the next name
	for i, s := range r.Ledger.Log.Stages {
		from, to := s.At.Seconds(), r.DurationS
		if i+1 < len(r.Ledger.Log.Stages) {
			to = r.Ledger.Log.Stages[i+1].At.Seconds()
		}
		if from, to = max(from, c.x0), min(to, c.x1); from >= to {
			continue
		}
		if s.Name == history.Chaos {
			c.rect("band", from, c.y0, to, c.y1, "stage chaos")
		}
		if x := c.px(from); x >= free && c.px(to)-x > 8*float64(len(s.Name)) {
			c.add(`<text class="stage" x="%.1f" y="%d">%s</text>`, x+2, topMargin-8, escape(string(s.Name)))
			free = x + 8*float64(len(s.Name))
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

// loadFigure is tasks settled per second.
func (r *Report) loadFigure(before ghost) *Figure {
	load := &r.Ledger.Series.Load
	if len(load.List) == 0 {
		return nil
	}
	f := &Figure{
		ID: "throughput", Title: "Throughput", Columns: []string{"from", "ok per second", "not ok per second"},
		Desc: "Tasks settled per second over time, and the mean of each stage: before, during and after the faults.",
		Legend: []Key{
			{"line", "ok"}, {"failed", "not ok"}, {"mean", "mean of the stage"}, {"fault", "confirmed fault"},
		},
	}
	var xs, ok, bad []float64
	most, width := 1.0, load.Width.Seconds()
	for i, b := range load.List {
		x := float64(i) * width
		xs, ok, bad = append(xs, x), append(ok, float64(b.OK)/width), append(bad, float64(b.Bad)/width)
		most = max(most, float64(b.OK)/width, float64(b.Bad)/width)
		f.Rows = append(f.Rows, []string{seconds(x), three(ok[i]), three(bad[i])})
	}
	parts := []struct {
		stage history.StageName
		word  string
	}{{history.Steady, "before"}, {history.Chaos, "during"}, {history.Settle, "after"}}
	for _, w := range parts {
		most = max(most, before.highest("tasks.throughput."+w.word))
	}
	c := newChart(wideChart, 210, 64, r.DurationS, most*1.15)
	r.bands(c, true)
	c.axes(times, rates)
	for _, w := range parts {
		if from, to, there := r.stage(w.stage); there {
			before.across(c, f, "tasks.throughput."+w.word, from, to)
		}
	}
	c.steps("line", xs, ok, min(xs[len(xs)-1]+width, r.DurationS))
	for i, v := range bad {
		if v > 0 {
			c.rect("failed", xs[i], 0, xs[i]+width, v, three(v)+"/s not ok")
		}
	}
	for _, w := range parts {
		v, known := r.Metrics["tasks.throughput."+w.word]
		if from, to, there := r.stage(w.stage); known && there && v > 0 && v <= c.y1 {
			c.across("mean", from, to, v, three(v)+"/s "+w.word)
		}
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

// stage is when a part of the run was.
func (r *Report) stage(name history.StageName) (from, to float64, ok bool) {
	for i, s := range r.Ledger.Log.Stages {
		if s.Name == name {
			to = r.DurationS
			if i+1 < len(r.Ledger.Log.Stages) {
				to = r.Ledger.Log.Stages[i+1].At.Seconds()
			}
			return s.At.Seconds(), to, true
		}
	}
	return 0, 0, false
}

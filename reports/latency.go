package reports

import (
	"fmt"
	"math"
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
)

// latencyFigure is quantiles of the latency over time, on a logarithmic axis.
func (r *Report) latencyFigure(before ghost) *Figure {
	f := &Figure{
		ID: "latency", Title: "Latency", Columns: []string{"from", "samples", "p50", "p95", "p99"},
		Desc: "Median, 95th and 99th percentile of the latency of settled tasks over time, on a logarithmic axis " +
			"and exact to 3.5 %; a gap has too few samples for its quantile.",
		Legend: []Key{{"line", "p50"}, {"line2", "p95"}, {"line3", "p99"}},
	}
	qs := []struct {
		q     float64
		need  int
		class string
	}{{0.5, 2, "line"}, {0.95, 20, "line2"}, {0.99, 100, "line3"}}
	lines := make([][]float64, len(qs))
	var xs []float64
	low, high := math.Inf(1), 0.0
	for i, b := range r.Ledger.Series.Load.List {
		x := (float64(i) + 0.5) * r.Ledger.Series.Load.Width.Seconds()
		xs = append(xs, x)
		row := []string{seconds(float64(i) * r.Ledger.Series.Load.Width.Seconds()), fmt.Sprint(b.Latency.N)}
		for k, q := range qs {
			v := math.NaN()
			text := "–"
			if b.Latency.N >= q.need {
				v = b.Latency.Quantile(q.q)
				low, high = min(low, v), max(high, v)
				text = seconds(v)
			}
			lines[k] = append(lines[k], v)
			row = append(row, text)
		}
		f.Rows = append(f.Rows, row)
	}
	if high == 0 {
		return nil
	}
	ghosts := []string{"tasks.latency.during.p50", "tasks.latency.during.p99"}
	high = max(high, before.highest(ghosts...))
	c := newChart(wideChart, 210, 64, r.DurationS, high*1.3)
	c.log, c.y0 = true, min(low/1.3, high/10)
	r.bands(c, false)
	c.axes(times, times)
	if from, to, there := r.stage(history.Chaos); there {
		for _, metric := range ghosts {
			before.across(c, f, metric, from, to)
		}
	}
	c.area("area2", xs, lines[1], lines[2])
	c.area("area", xs, lines[0], lines[1])
	for k, q := range qs {
		c.line(q.class, xs, lines[k])
	}
	for k := range qs {
		for i, v := range slices.Backward(lines[k]) {
			if !math.IsNaN(v) {
				c.word(xs[i], v, f.Legend[k].Text)
				break
			}
		}
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

package reports

import (
	"fmt"
	"math"
	"slices"
	"sort"
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
	return append(list, p.hostFigures(r)...)
}

// bands shades the stages and marks the faults.
func (r *Report) bands(c *chart) {
	for i, s := range r.plots.stages {
		end := r.DurationS
		if i+1 < len(r.plots.stages) {
			end = r.plots.stages[i+1].at.Seconds()
		}
		if s.name == "chaos" {
			c.rect("band", s.at.Seconds(), c.y0, end, c.y1, "stage "+s.name)
		}
	}
	for i, f := range r.Faults {
		if f.Outcome == string(confirmed) && i < maxPoints {
			c.mark("fault", f.AtS, fmt.Sprintf("#%d %s", f.N, f.Fault))
		}
	}
}

const confirmed = "confirmed"

// lanesFigure is a row a slot: bars for pids, ticks for tasks, marks for faults.
func (r *Report) lanesFigure() *Figure {
	slots := make([]int, 0, len(r.plots.lanes))
	for s := range r.plots.lanes {
		slots = append(slots, s)
	}
	sort.Ints(slots)
	if len(slots) == 0 {
		return nil
	}
	f := &Figure{
		ID: "lanes", Title: "Slots", Columns: []string{"slot", "pid", "generation", "from", "ready", "to", "end"},
		Desc:   fmt.Sprintf("One row for each of %d slots over time: a bar is the life of one process, a tick below it tasks, a line a confirmed fault.", len(slots)),
		Legend: []Key{{"bar", "process, ready"}, {"boot", "booting"}, {"dead", "ended by a fault"}, {"bad", "ended, and nobody knows why"}, {"fault", "confirmed fault"}},
	}
	if len(slots) > maxLanes {
		f.Note = fmt.Sprintf("The first %d of %d slots are drawn.", maxLanes, len(slots))
		slots = slots[:maxLanes]
	}
	const row = 22
	c := newChart(float64(len(slots)*row)+topMargin+28, 56, r.DurationS, float64(len(slots)))
	c.axes(nil)
	rows := map[int]float64{}
	for i, s := range slots {
		y := float64(len(slots) - i - 1)
		rows[s] = y
		c.label(c.left-6, c.py(y+0.5)+4, "end", fmt.Sprintf("slot %d", s))
		r.drawLane(c, f, s, y)
	}
	for _, in := range r.Faults {
		if y, ok := rows[victimSlot(in)]; ok && in.Outcome == confirmed {
			c.rect("fault", in.AtS, y+0.05, in.AtS, y+0.95, fmt.Sprintf("#%d %s at %s", in.N, in.Fault, seconds(in.AtS)))
		}
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

func victimSlot(in Injection) int {
	if in.Victim == nil {
		return -1
	}
	return in.Victim.Slot
}

// drawLane draws one slot's bars and ticks and adds its rows to the table.
func (r *Report) drawLane(c *chart, f *Figure, slot int, y float64) {
	l := r.plots.lanes[slot]
	for _, b := range l.bars {
		from, to, end := b.from.Seconds(), r.DurationS, "alive"
		class := "bar"
		if b.to >= 0 {
			to = b.to.Seconds()
			end, class = r.endOf(b)
		}
		ready := "never"
		if b.ready >= 0 {
			ready = seconds(b.ready.Seconds())
			c.rect("boot", from, y+0.25, b.ready.Seconds(), y+0.85, fmt.Sprintf("pid %d booting", b.pid))
			from = b.ready.Seconds()
		}
		title := fmt.Sprintf("pid %d: %s", b.pid, end)
		c.rect("bar", from, y+0.25, to, y+0.85, title)
		if class != "bar" {
			c.rect(class, max(from, to-r.DurationS/200), y+0.15, to, y+0.95, title)
		}
		if len(f.Rows) < maxLedger/4 {
			f.Rows = append(f.Rows, []string{fmt.Sprint(slot), fmt.Sprint(b.pid), fmt.Sprint(b.gen), seconds(b.from.Seconds()), ready, seconds(to), end})
		}
	}
	most := 0
	for _, n := range l.ticks.list {
		most = max(most, n)
	}
	width := l.ticks.width.Seconds()
	for i, n := range l.ticks.list {
		if n > 0 {
			x := float64(i) * width
			c.rect("tick", x, y+0.05, min(x+width*0.8, r.DurationS), y+0.05+0.17*float64(n)/float64(most), fmt.Sprintf("%d tasks", n))
		}
	}
	if l.left > 0 {
		f.Note += fmt.Sprintf(" Slot %d had %d more processes.", slot, l.left)
	}
}

// endOf says how a bar ended and which class it is drawn in.
func (r *Report) endOf(b bar) (end, class string) {
	i := slices.IndexFunc(r.Exits, func(x Exit) bool { return x.PID == b.pid && math.Abs(x.AtS-b.to.Seconds()) < 1e-6 })
	if i < 0 {
		return "ended", "bar"
	}
	end = r.Exits[i].how()
	switch {
	case r.Exits[i].unexplained():
		return end, "bad"
	case r.Exits[i].Fault > 0:
		return end, "dead"
	}
	return end, "bar"
}

// readyFigure is the number of ready members over time against what is wanted.
func (p *plots) readyFigure(r *Report) *Figure {
	var xs, ready, want []float64
	most := 1.0
	f := &Figure{
		ID: "ready", Title: "Ready members", Columns: []string{"from", "ready, fewest", "wanted"},
		Desc:   "How many members were ready over time, the fewest of each moment, against how many were wanted; the shaded part is the chaos stage.",
		Legend: []Key{{"line", "ready"}, {"want", "wanted"}, {"fault", "confirmed fault"}},
	}
	for i, b := range p.ready.list {
		if !b.seen {
			continue
		}
		x := float64(i) * p.ready.width.Seconds()
		xs, ready, want = append(xs, x), append(ready, float64(b.ready)), append(want, float64(b.want))
		most = max(most, float64(b.ready), float64(b.want))
		f.Rows = append(f.Rows, []string{seconds(x), fmt.Sprint(b.ready), fmt.Sprint(b.want)})
	}
	if len(xs) == 0 {
		return nil
	}
	c := newChart(200, 56, r.DurationS, most*1.1)
	r.bands(c)
	c.axes(whole)
	c.steps("want", xs, want, r.DurationS)
	c.steps("line", xs, ready, r.DurationS)
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
		Desc:   "Tasks settled per second before, during and after the chaos stage, which is shaded.",
		Legend: []Key{{"line", "ok"}, {"bad", "not ok"}, {"fault", "confirmed fault"}},
	}
	var xs, ok, bad []float64
	most, width := 1.0, p.load.width.Seconds()
	for i, b := range p.load.list {
		x := float64(i) * width
		xs, ok, bad = append(xs, x), append(ok, float64(b.ok)/width), append(bad, float64(b.bad)/width)
		most = max(most, float64(b.ok)/width, float64(b.bad)/width)
		f.Rows = append(f.Rows, []string{seconds(x), three(ok[i]), three(bad[i])})
	}
	c := newChart(200, 56, r.DurationS, most*1.1)
	r.bands(c)
	c.axes(three)
	c.steps("line", xs, ok, min(xs[len(xs)-1]+width, r.DurationS))
	for i, v := range bad {
		if v > 0 {
			c.rect("bad", xs[i], 0, xs[i]+width, v, three(v)+"/s not ok")
		}
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

// latencyFigure is quantiles of the latency over time, on a logarithmic axis.
func (p *plots) latencyFigure(r *Report) *Figure {
	f := &Figure{
		ID: "latency", Title: "Latency", Columns: []string{"from", "samples", "p50", "p95", "p99"},
		Desc:   "Median, 95th and 99th percentile of the latency of settled tasks over time, on a logarithmic axis; the chaos stage is shaded.",
		Legend: []Key{{"line", "p50"}, {"line2", "p95"}, {"line3", "p99"}},
		Note:   "Quantiles in the figure are exact to 3.5 %; a quantile needs enough samples in its moment, or the line has a gap. The thresholds above are exact.",
	}
	qs := []struct {
		q     float64
		need  int
		class string
	}{{0.5, 2, "line"}, {0.95, 20, "line2"}, {0.99, 100, "line3"}}
	lines := make([][]float64, len(qs))
	var xs []float64
	low, high := math.Inf(1), 0.0
	for i, b := range p.load.list {
		x := (float64(i) + 0.5) * p.load.width.Seconds()
		xs = append(xs, x)
		row := []string{seconds(float64(i) * p.load.width.Seconds()), fmt.Sprint(b.latency.n)}
		for k, q := range qs {
			v := math.NaN()
			text := "–"
			if b.latency.n >= q.need {
				v = b.latency.quantile(q.q)
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
	c := newChart(220, 64, r.DurationS, high*1.5)
	c.log, c.y0 = true, min(low/1.5, high/10)
	r.bands(c)
	c.axes(seconds)
	for k, q := range qs {
		c.line(q.class, xs, lines[k])
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

// hostFigures are small ones: memory, CPU and descriptors.
func (p *plots) hostFigures(r *Report) (list []Figure) {
	for _, k := range []struct {
		id, title, desc string
		value           func(h, before hostBin) float64
		format          func(float64) string
	}{
		{"memory", "Memory of the members", "Resident set of all members together.", func(h, _ hostBin) float64 { return float64(h.rss) }, size},
		{"parent", "Memory of the parent", "Resident set of the process that holds the pool.", func(h, _ hostBin) float64 { return float64(h.parent) }, size},
		{"fds", "Descriptors of the parent", "Open file descriptors of the process that holds the pool.", func(h, _ hostBin) float64 { return float64(h.fds) }, three},
		{"goroutines", "Goroutines", "Goroutines of the process that holds the pool.", func(h, _ hostBin) float64 { return float64(h.goroutines) }, three},
		{"cpu", "CPU of the members", "CPUs in use by the members, from their CPU time between samples.", func(h, b hostBin) float64 {
			return max(0, (h.cpu-b.cpu).Seconds()/p.host.width.Seconds())
		}, three},
	} {
		f := Figure{ID: k.id, Title: k.title, Desc: k.desc, Columns: []string{"from", k.title}}
		var xs, ys []float64
		most := 0.0
		var before hostBin
		for i, h := range p.host.list {
			if !h.seen {
				continue
			}
			x, y := float64(i)*p.host.width.Seconds(), k.value(h, before)
			if before = h; len(xs) == 0 && k.id == "cpu" {
				y = 0
			}
			xs, ys, most = append(xs, x), append(ys, y), max(most, y)
			f.Rows = append(f.Rows, []string{seconds(x), k.format(y)})
		}
		if most == 0 {
			continue
		}
		c := newChart(120, 72, r.DurationS, most*1.15)
		r.bands(c)
		c.axes(k.format)
		c.steps("line", xs, ys, r.DurationS)
		f.SVG = c.svg(f.ID, f.Title, f.Desc)
		list = append(list, f)
	}
	return list
}

package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// What the lanes show at most, all slots together.
const (
	mostBars  = 2000
	mostRows  = 500 // of their table
	mostMarks = 1500
)

// lanesFigure is a row a slot: bars for processes, ticks for tasks, marks for faults.
func (r *Report) lanesFigure() *Figure {
	slots := slices.Sorted(maps.Keys(r.plots.lanes))
	if len(slots) == 0 {
		return nil
	}
	f := &Figure{
		ID: "lanes", Title: "Slots", Columns: []string{"slot", "pid", "generation", "from", "ready", "to", "end"},
		Desc: fmt.Sprintf("One row for each of %d slots over time. A bar is the life of one process, the triangles above it are confirmed "+
			"faults, the row below it shows how busy it was with tasks.", len(slots)),
		Legend: []Key{{"bar", "ready"}, {"boot", "booting"}, {"tick", "tasks begun"}, {"fault", "confirmed fault"}, {"dead", "ended by a fault"}, {"bad", "ended, and nobody knows why"}},
	}
	if len(slots) > maxLanes {
		f.Note = fmt.Sprintf("The first %d of %d slots are drawn. ", maxLanes, len(slots))
		slots = slots[:maxLanes]
	}
	row := 34.0
	if len(slots) > 12 {
		row = 22
	}
	c := newChart(wideChart, float64(len(slots))*row+topMargin+26, 56, r.DurationS, float64(len(slots)))
	r.bands(c, false)
	c.axes(times, axis{})
	l := laneDrawing{Report: r, c: c, f: f, rows: map[int]float64{}, each: max(1, mostBars/len(slots))}
	for i, s := range slots {
		y := float64(len(slots) - i - 1)
		l.rows[s] = y
		c.label(c.left-6, c.py(y+0.5)+4, "end", fmt.Sprintf("slot %d", s))
		l.lane(s, y)
	}
	l.marks()
	if l.left > 0 {
		f.Note += fmt.Sprintf("%d more processes are not drawn, at most %d of a slot are. ", l.left, l.each)
	}
	if len(f.Rows) == mostRows {
		f.Note += fmt.Sprintf("The table has the first %d processes.", mostRows)
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

// laneDrawing is the lanes while they are drawn.
type laneDrawing struct {
	*Report
	c    *chart
	f    *Figure
	rows map[int]float64 // slot → the bottom of its row
	each int             // processes drawn of a slot
	left int
}

// lane draws one slot's bars and adds its rows to the table.
func (d *laneDrawing) lane(slot int, y float64) {
	l := d.plots.lanes[slot]
	d.left += l.left + max(0, len(l.bars)-d.each)
	for _, b := range l.bars[:min(len(l.bars), d.each)] {
		d.bar(slot, y, b)
	}
	d.ticks(l, y)
}

func (d *laneDrawing) bar(slot int, y float64, b bar) {
	from, to, end, class := b.from.Seconds(), d.DurationS, "alive", ""
	if b.to >= 0 {
		to = b.to.Seconds()
		end, class = d.endOf(b)
	}
	low, high := y+0.34, y+0.78
	title := fmt.Sprintf("pid %d: %s", b.pid, end)
	ready := "never"
	up := to
	if b.ready >= 0 {
		up = b.ready.Seconds()
		ready = seconds(up)
	}
	if up > from {
		d.c.rect("boot", from, low, up, high, "")
	}
	if to > up {
		d.c.rect("bar", up, low, to, high, title)
	}
	if class != "" {
		width := 2.5 / d.c.width * (d.c.x1 - d.c.x0)
		d.c.rect(class, max(from, to-width), low-0.06, to, high+0.06, title)
	}
	if len(d.f.Rows) < mostRows {
		d.f.Rows = append(d.f.Rows, []string{fmt.Sprint(slot), fmt.Sprint(b.pid), fmt.Sprint(b.gen), seconds(from), ready, seconds(to), end})
	}
}

// ticks shows how many tasks began in each moment, the most of the slot being the highest.
func (d *laneDrawing) ticks(l *lane, y float64) {
	if len(l.ticks.list) == 0 {
		return
	}
	most := float64(slices.Max(l.ticks.list))
	width := l.ticks.width.Seconds()
	var path strings.Builder
	for i, n := range l.ticks.list {
		if n > 0 {
			x := d.c.px((float64(i) + 0.5) * width)
			fmt.Fprintf(&path, "M%.1f %.1fV%.1f", x, d.c.py(y+0.06), d.c.py(y+0.1+0.18*float64(n)/most))
		}
	}
	stroke := max(1, d.c.px(width)-d.c.px(0)-0.5)
	d.c.add(`<path class="tick" stroke-width="%.1f" d="%s"/>`, min(stroke, 3), path.String())
}

// marks are triangles where the faults took effect.
func (d *laneDrawing) marks() {
	n := 0
	for _, in := range d.Faults {
		if in.Victim == nil || in.Outcome != confirmed {
			continue
		}
		y, ok := d.rows[in.Victim.Slot]
		if !ok {
			continue
		}
		if n++; n > mostMarks {
			d.f.Note += fmt.Sprintf("Only the first %d faults are marked. ", mostMarks)
			return
		}
		x, tip := d.c.px(in.AtS), d.c.py(y+0.78)
		d.c.add(`<path class="hit" d="M%.1f %.1fl-3.5 -6h7z">%s</path>`, x, tip, titled(fmt.Sprintf("#%d %s at %s", in.N, in.Fault, seconds(in.AtS))))
	}
}

// endOf says how a process ended and which class its end is drawn in.
func (r *Report) endOf(b bar) (end, class string) {
	for _, x := range r.exitsOf(b.pid) {
		if math.Abs(x.AtS-b.to.Seconds()) > 1e-6 {
			continue
		}
		switch end = x.how(); {
		case x.unexplained:
			return end, "bad"
		case x.Fault > 0:
			return end, "dead"
		}
		return end, ""
	}
	return "ended", ""
}

// exitsOf are a pid's ends; the kernel may have given the number twice.
func (r *Report) exitsOf(pid int) []Exit {
	if r.plots.ends == nil {
		r.plots.ends = make(map[int][]Exit, len(r.Exits))
		for _, x := range r.Exits {
			r.plots.ends[x.PID] = append(r.plots.ends[x.PID], x)
		}
	}
	return r.plots.ends[pid]
}

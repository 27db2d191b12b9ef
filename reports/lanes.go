package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// What the lanes show at most, all slots together.
const (
	maxLanes  = 128
	fewLanes  = 16 // are all drawn
	mostBars  = 2000
	mostRows  = 500 // of their table
	mostMarks = 1500
)

// lanesFigure is a row a slot: bars for processes, ticks for tasks, marks for faults. The slots worth seeing come
// first, and those that nothing happened to are one row.
func (r *Report) lanesFigure() *Figure {
	if len(r.slots()) == 0 {
		return nil
	}
	d := r.laneRows()
	f := &Figure{
		ID: "lanes", Title: "Slots", Columns: []string{"slot", "pid", "generation", "from", "ready", "to", "end"},
		Desc: fmt.Sprintf("One row for each of %s over time. A wide bar is the life of one process, ready for work, "+
			"and a thin one before it its boot; the marks above are confirmed faults, the row below shows how busy "+
			"it was with tasks.", plural(len(r.slots()), "slot")),
		Legend: append([]Key{
			{"bar", "ready"},
			{"boot", "booting"},
			{"tick", "tasks begun"},
			{"dead", "ended by a fault"},
			{"bad", "ended, and nobody knows why"},
		}, d.legend()...),
	}
	d.f, d.Report = f, r
	row := 34.0
	switch n := len(d.names); {
	case n > 40:
		row = 15
	case n > 12:
		row = 22
	}
	if len(d.names) > 24 {
		f.Class = "tall"
	}
	d.c = newChart(wideChart, float64(len(d.names))*row+topMargin+26, 92, r.DurationS, float64(len(d.names)))
	r.bands(d.c, false)
	d.c.axes(times, axis{})
	for i, name := range d.names {
		d.c.label(d.c.left-6, d.c.py(d.at(i)+0.5)+4, "end", name)
	}
	d.each = max(1, mostBars/max(1, len(d.slots)))
	for _, s := range d.slots {
		d.lane(s, d.rows[s])
	}
	d.quiet()
	d.troubled()
	d.marks()
	if d.left > 0 {
		f.Note += fmt.Sprintf("%s more processes are not drawn, at most %d of a slot are. ",
			whole(float64(d.left)), d.each)
	}
	if len(f.Rows) == mostRows {
		f.Note += fmt.Sprintf("The table has the first %d processes.", mostRows)
	}
	f.SVG = d.c.svg(f.ID, f.Title, f.Desc)
	return f
}

// laneDrawing is the lanes while they are drawn.
type laneDrawing struct {
	*Report
	c      *chart
	f      *Figure
	names  []string        // of the rows, from the top
	slots  []int           // with a row of their own, from the top
	rows   map[int]float64 // slot → the bottom of its row; -1 is the target as a whole
	folded float64         // the bottom of the row of all the others, -1 without one
	failed float64         // the same of the tasks that did not end well
	kinds  []string        // of faults, in the order of their marks
	each   int             // processes drawn of a slot
	left   int
}

// at is the bottom of the row of that index, from the top.
func (d *laneDrawing) at(i int) float64 { return float64(len(d.names) - i - 1) }

// laneRows decides which rows there are: tasks that did not end well, the target as a whole if a fault was aimed at it,
// and the slots, of many those first where something went wrong, then those that were hit or changed, the most often
// first.
func (r *Report) laneRows() *laneDrawing {
	d := &laneDrawing{rows: map[int]float64{}, folded: -1, failed: -1}
	hits := map[int]int{}
	for _, in := range r.Faults {
		if in.Outcome != history.Confirmed {
			continue
		}
		hits[slotOf(in)]++
		if !slices.Contains(d.kinds, in.Fault) {
			d.kinds = append(d.kinds, in.Fault)
		}
	}
	bad := map[int]bool{}
	for _, x := range r.Exits {
		bad[x.Slot] = bad[x.Slot] || x.unexplained
	}
	for _, d := range r.Ledger.Slots.Deaths {
		bad[d.Slot] = bad[d.Slot] || d.Fate == ledger.Never
	}
	rank := func(slot int) int {
		switch {
		case bad[slot]:
			return -2
		case hits[slot] > 0 || len(r.slots()[slot]) > 1:
			return -1
		}
		return 0
	}
	all := slices.Sorted(maps.Keys(r.slots()))
	d.slots = all
	if len(all) > fewLanes {
		slices.SortStableFunc(d.slots, func(a, b int) int { return cmp.Or(rank(a)-rank(b), hits[b]-hits[a]) })
		n := len(d.slots)
		if quiet := slices.IndexFunc(d.slots, func(s int) bool { return rank(s) == 0 }); quiet >= 0 {
			n = quiet
		}
		d.slots = d.slots[:min(n, maxLanes)]
	}
	if slices.ContainsFunc(r.Ledger.Series.Load.List, func(b ledger.LoadBin) bool { return b.Bad > 0 }) {
		d.names = append(d.names, "tasks not ok")
	}
	if hits[-1] > 0 {
		d.names = append(d.names, "the target")
	}
	first := len(d.names)
	for _, s := range d.slots {
		d.names = append(d.names, fmt.Sprintf("slot %d", s))
	}
	folded := all[len(d.slots):]
	if len(folded) > 0 {
		d.names = append(d.names, whole(float64(len(folded)))+" others")
		d.folded = 0
	}
	for i, name := range d.names[:first] {
		if name == "the target" {
			d.rows[-1] = d.at(i)
		} else {
			d.failed = d.at(i)
		}
	}
	for i, s := range d.slots {
		d.rows[s] = d.at(first + i)
	}
	for _, s := range folded {
		d.rows[s] = d.folded
	}
	return d
}

// slotOf is where a fault was aimed, -1 for the target as a whole or its parent.
func slotOf(in Injection) int {
	if in.Victim == nil {
		return -1
	}
	return max(in.Victim.Slot, -1)
}

// legend is a mark for each kind of fault.
func (d *laneDrawing) legend() (keys []Key) {
	for i, kind := range d.kinds {
		if i == len(shapes)-1 && len(d.kinds) > len(shapes) {
			return append(keys, Key{fmt.Sprintf("kind%d", i), "other faults"})
		}
		keys = append(keys, Key{fmt.Sprintf("kind%d", i), kind})
	}
	return keys
}

// quiet draws the row of the slots without one of their own.
func (d *laneDrawing) quiet() {
	if d.folded < 0 {
		return
	}
	from := d.DurationS
	for slot, y := range d.rows {
		if l := d.Report.slots()[slot]; slot >= 0 && y == d.folded && len(l) > 0 {
			from = min(from, max(0, l[0].From.Seconds()))
		}
	}
	if from < d.DurationS {
		d.c.rect("bar", from, 0.34, d.DurationS, 0.78, "the slots without a row of their own")
	}
}

// troubled marks when tasks did not end well.
func (d *laneDrawing) troubled() {
	if d.failed < 0 {
		return
	}
	width := d.Ledger.Series.Load.Width.Seconds()
	for i, b := range d.Ledger.Series.Load.List {
		if b.Bad > 0 {
			x := (float64(i) + 0.5) * width
			d.c.linked("#tasks", func() {
				d.c.sign("bad", cross, d.c.px(min(x, d.DurationS)), d.c.py(d.failed+0.5),
					fmt.Sprintf("%s not ok at %s", plural(b.Bad, "task"), seconds(x)))
			})
		}
	}
}

// lane draws one slot's bars and adds its rows to the table.
func (d *laneDrawing) lane(slot int, y float64) {
	l := d.Report.slots()[slot]
	d.left += max(0, len(l)-d.each)
	for _, b := range l[:min(len(l), d.each)] {
		d.bar(slot, y, b)
	}
	if begun := d.Ledger.Series.Begun[slot]; begun != nil {
		d.ticks(begun, y)
	}
}

func (d *laneDrawing) bar(slot int, y float64, b *ledger.Life) {
	from, to, end, class := max(0, b.From.Seconds()), d.DurationS, "alive", ""
	if b.To >= 0 {
		to = b.To.Seconds()
		end, class = d.endOf(b)
	}
	low, high := y+0.34, y+0.78
	title := fmt.Sprintf("pid %d: %s", b.PID, end)
	ready := "never"
	up := to
	if b.Ready >= 0 {
		up = b.Ready.Seconds()
		ready = seconds(up)
	}
	if up > from {
		d.c.rect("boot", from, low+0.15, up, high-0.15, "")
	}
	if to > up {
		d.c.linked(fmt.Sprintf("#slot-%d", slot), func() { d.c.rect("bar", up, low, to, high, title) })
	}
	switch class {
	case "bad":
		d.c.linked(fmt.Sprintf("#slot-%d", slot),
			func() { d.c.sign("bad", cross, d.c.px(to), d.c.py((low+high)/2), title) })
	case "dead":
		width := 2.5 / d.c.width * (d.c.x1 - d.c.x0)
		d.c.rect(class, max(from, to-width), low-0.06, to, high+0.06, title)
	}
	if len(d.f.Rows) < mostRows {
		d.f.Rows = append(d.f.Rows,
			[]string{fmt.Sprint(slot), fmt.Sprint(b.PID), fmt.Sprint(b.Gen), seconds(from), ready, seconds(to), end})
	}
}

// ticks shows how many tasks began in each moment, the most of the slot being the highest.
func (d *laneDrawing) ticks(begun *ledger.Bins[int], y float64) {
	most := float64(slices.Max(begun.List))
	width := begun.Width.Seconds()
	var path strings.Builder
	for i, n := range begun.List {
		if n > 0 {
			x := d.c.px((float64(i) + 0.5) * width)
			fmt.Fprintf(&path, "M%.1f %.1fV%.1f", x, d.c.py(y+0.06), d.c.py(y+0.1+0.18*float64(n)/most))
		}
	}
	stroke := max(1, d.c.px(width)-d.c.px(0)-0.5)
	d.c.add(`<path class="tick"%s stroke-width="%.1f" d="%s"/>`, looks["tick"], min(stroke, 3), path.String())
}

// marks are where the faults took effect, each kind with a shape of its own.
func (d *laneDrawing) marks() {
	n := 0
	for _, in := range d.Faults {
		y, ok := d.rows[slotOf(in)]
		if !ok || in.Outcome != history.Confirmed {
			continue
		}
		if n++; n > mostMarks {
			d.f.Note += fmt.Sprintf("Only the first %s faults are marked. ", whole(mostMarks))
			return
		}
		shape := shapes[min(slices.Index(d.kinds, in.Fault), len(shapes)-1)]
		d.c.linked(fmt.Sprintf("#fault-%d", in.N), func() {
			d.c.sign("hit", shape, d.c.px(in.AtS), d.c.py(y+0.78)-3.5,
				fmt.Sprintf("#%d %s at %s", in.N, in.Fault, seconds(in.AtS)))
		})
	}
}

// endOf says how a process ended and which class its end is drawn in.
func (r *Report) endOf(b *ledger.Life) (end, class string) {
	i, ok := slices.BinarySearchFunc(r.Exits, b.Line, func(x Exit, line int) int { return x.line - line })
	if !ok {
		return "ended", ""
	}
	switch x := r.Exits[i]; {
	case x.unexplained:
		return x.how(), "bad"
	case x.Fault > 0:
		return x.how(), "dead"
	default:
		return x.how(), ""
	}
}

// slots is the lives of the slots, by slot.
func (r *Report) slots() map[int][]*ledger.Life {
	if r.bySlot == nil {
		r.bySlot = r.Ledger.Lives.BySlot()
		delete(r.bySlot, -1)
	}
	return r.bySlot
}

package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// What the heat map shows.
const (
	manySlots = 40   // and fewer have none: the lanes show them
	mostCells = 5000 // slots drawn
	heats     = 4    // how many shades, and sizes, there are
)

// slotHeat is what befell a slot.
type slotHeat struct {
	slot, hits, deaths int
	longest            float64 // recovery in seconds, 0 without one
	bad                string  // what went wrong, "" if nothing did
}

// heatOf is what befell each slot, in their order.
func (r *Report) heatOf() (list []slotHeat) {
	at := map[int]int{}
	for i, slot := range slices.Sorted(maps.Keys(r.slots())) {
		at[slot] = i
		list = append(list, slotHeat{slot: slot})
	}
	of := func(slot int, tell func(*slotHeat)) {
		if i, ok := at[slot]; ok {
			tell(&list[i])
		}
	}
	for _, in := range r.Faults {
		if in.Outcome == history.Confirmed {
			of(slotOf(in), func(h *slotHeat) { h.hits++ })
		}
	}
	for _, x := range r.Exits {
		if x.unexplained {
			of(x.Slot, func(h *slotHeat) { h.bad = "an end that nobody explains" })
		}
	}
	for _, d := range r.Ledger.Slots.Deaths {
		of(d.Slot, func(h *slotHeat) {
			h.deaths++
			switch d.Fate {
			case ledger.Never:
				h.bad = "never came back"
			case ledger.Recovered:
				h.longest = max(h.longest, d.Took().Seconds())
			}
		})
	}
	return list
}

// text is what befell the slot in a line.
func (h slotHeat) text() string {
	text := fmt.Sprintf("slot %d: %s", h.slot, plural(h.hits, "fault"))
	if h.longest > 0 {
		text += ", longest recovery " + seconds(h.longest)
	}
	if h.bad != "" {
		text += ", " + h.bad
	}
	return text
}

// heatFigure is a cell for each of many slots, in their order: the longer its longest recovery, the larger and the
// hotter.
func (r *Report) heatFigure() *Figure {
	all := r.heatOf()
	if len(all) <= manySlots {
		return nil
	}
	f := &Figure{
		ID: "heat", Title: "All slots",
		Columns: []string{"slot", "faults", "deaths", "longest recovery", "what went wrong"},
		Desc: fmt.Sprintf("A cell for each of %s, in rows from left to right: the longer its longest recovery, "+
			"the larger and the hotter. The slots of the lanes above are among them.", plural(len(all), "slot")),
	}
	cells := all[:min(len(all), mostCells)]
	if more := len(all) - len(cells); more > 0 {
		f.Note = fmt.Sprintf("%s more slots are not drawn. ", whole(float64(more)))
	}
	low, high := math.Inf(1), 0.0
	for _, h := range all {
		if h.longest > 0 {
			low, high = min(low, h.longest), max(high, h.longest)
		}
	}
	f.drawHeat(cells, func(took float64) int { return heatStep(took, low, high) })
	f.Legend = append(f.Legend, Key{"cool", "nothing befell it"})
	if slices.ContainsFunc(cells, func(h slotHeat) bool { return h.hits > 0 && h.longest == 0 }) {
		f.Legend = append(f.Legend, Key{"heat0", "struck, without a recovery"})
	}
	for step := 1; step <= heats && high > 0; step++ {
		if slices.ContainsFunc(cells, func(h slotHeat) bool { return heatStep(h.longest, low, high) == step }) {
			up := seconds(low * math.Pow(high/low, float64(step)/heats))
			f.Legend = append(f.Legend, Key{fmt.Sprint("heat", step), "recovered within " + up})
		}
	}
	if slices.ContainsFunc(cells, func(h slotHeat) bool { return h.bad != "" }) {
		f.Legend = append(f.Legend, Key{"bad", "something went wrong"})
	}
	f.heatRows(all)
	return f
}

// heatStep is how hot a recovery is, from 1 to heats in equal factors between the shortest and the longest; 0 without
// one.
func heatStep(took, low, high float64) int {
	switch {
	case took <= 0:
		return 0
	case high <= low:
		return 1
	}
	return min(max(int(math.Ceil(heats*math.Log(took/low)/math.Log(high/low)-1e-9)), 1), heats)
}

// drawHeat draws the cells: those that nothing befell as one path, the others each with its words and a link.
func (f *Figure) drawHeat(cells []slotHeat, step func(float64) int) {
	across := 50
	if len(cells) > 1000 {
		across = 100
	}
	const left = 64.0
	size := (wideChart - left - rightSpace) / float64(across)
	rows := (len(cells) + across - 1) / across
	c := newChart(wideChart, float64(rows)*size+2*topMargin, left, 1, 1)
	var cool, hot strings.Builder
	for i, h := range cells {
		x, y := left+(float64(i%across)+0.5)*size, topMargin+(float64(i/across)+0.5)*size
		if i%across == 0 && (i/across)%(across/50) == 0 {
			c.label(left-8, y+4, "end", fmt.Sprint(h.slot))
		}
		square := func(share float64) string {
			side := size * share
			return fmt.Sprintf("M%.1f %.1fh%.1fv%.1fh-%.1fz", x-side/2, y-side/2, side, side, side)
		}
		fmt.Fprint(&cool, square(0.9))
		if h.hits == 0 && h.deaths == 0 && h.bad == "" {
			continue
		}
		class := fmt.Sprint("heat", step(h.longest))
		fmt.Fprintf(&hot, `<a href="#slot-%d" tabindex="-1">`, h.slot)
		if h.bad != "" {
			fmt.Fprintf(&hot, `<path class="bad"%s d="M%.1f %.1f%s">%s</path></a>`,
				looks["bad"], x, y, cross, titled(h.text()))
			continue
		}
		fmt.Fprintf(&hot, `<path class="%s"%s d="%s">%s</path></a>`,
			class, looks[class], square(heatShare(step(h.longest))), titled(h.text()))
	}
	c.add(`<path class="cool"%s d="%s"/>%s`, looks["cool"], cool.String(), hot.String())
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
}

// heatShare is how much of its cell's width a square of that heat takes.
func heatShare(step int) float64 { return 0.25 + 0.65*float64(step)/heats }

// heatRows is the table: the slots that something befell, the worst first.
func (f *Figure) heatRows(all []slotHeat) {
	hit := slices.DeleteFunc(slices.Clone(all),
		func(h slotHeat) bool { return h.hits == 0 && h.deaths == 0 && h.bad == "" })
	slices.SortStableFunc(hit, func(a, b slotHeat) int {
		switch {
		case (a.bad != "") != (b.bad != ""):
			return btoi(b.bad != "") - btoi(a.bad != "")
		case a.longest != b.longest:
			return btoi(a.longest < b.longest) - btoi(a.longest > b.longest)
		}
		return b.hits - a.hits
	})
	for _, h := range hit[:min(len(hit), mostRows)] {
		took := "–"
		if h.longest > 0 {
			took = seconds(h.longest)
		}
		f.Rows = append(f.Rows,
			[]string{fmt.Sprint(h.slot), whole(float64(h.hits)), whole(float64(h.deaths)), took, h.bad})
	}
	if len(hit) > mostRows {
		f.Note += fmt.Sprintf("The table has the first %d of %s that something befell. ",
			mostRows, plural(len(hit), "slot"))
	}
	if len(hit) == 0 {
		f.Rows = [][]string{{"all", "0", "0", "–", ""}}
	}
}

package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// budget is the limit that a threshold puts on slot recovery, in seconds; 0 without one.
func (r *Report) budget() (limit float64, text string) {
	for _, t := range r.Thresholds {
		if len(t.Metric) > 14 && t.Metric[:14] == "slot.recovery." && (t.Op == "<=" || t.Op == "<") && t.Limit > limit {
			limit, text = t.Limit, "budget "+seconds(t.Limit)
		}
	}
	return limit, text
}

// maxPoints bounds the deaths that are drawn.
const maxPoints = 1500

// recoveries are the deaths by their time of which it is known what became of their slots, and a note if they are not
// all. A slot that the target is not to have any more has nothing to recover to.
func (r *Report) recoveries() (list []*ledger.Death, note string) {
	all := r.Ledger.Slots.Deaths
	list = slices.DeleteFunc(slices.Clone(all), func(d *ledger.Death) bool { return d.Fate == ledger.GivenUp })
	slices.SortFunc(list,
		func(a, b *ledger.Death) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.N, b.N)) })
	if given := len(all) - len(list); given > 0 {
		note = plural(given, "slot") + " that the target was not to have any more when its member was killed, or " +
			"soon after, has nothing to recover to. "
		if given > 1 {
			note = plural(given, "slot") + " that the target was not to have any more when their members were " +
				"killed, or soon after, have nothing to recover to. "
		}
	}
	if n := len(list); n > maxPoints {
		list = list[:maxPoints]
		note += fmt.Sprintf("The first %s of %s are shown. ", whole(maxPoints), plural(n, "death"))
	}
	return list, note
}

// recoveryFigure is a point for each death: when it was and how long its slot took.
func (r *Report) recoveryFigure(before ghost) *Figure {
	list, note := r.recoveries()
	if len(list) == 0 {
		return nil
	}
	f := &Figure{
		ID: "recovery", Class: "half", Title: "Slot recovery",
		Columns: []string{"fault", "slot", "death at", "recovered after"},
		Desc: "For each confirmed death, the time until its slot's replacement was ready and had answered a probe, " +
			"against the budget.",
		Legend: []Key{{"point", "recovered"}, {"never", "never came back"}, {"limit", "budget"}},
	}
	limit, text := r.budget()
	typical := r.typicalRecovery()
	fewest, most := math.Inf(1), max(limit, 1e-3, before.highest(typical))
	if low, _, _ := before.over(typical); low > 0 {
		fewest = low
	}
	for _, x := range list {
		if took := x.Took().Seconds(); x.Fate == ledger.Recovered && took > 0 {
			fewest, most = min(fewest, took), max(most, took)
		}
	}
	c := newChart(halfChart, 220, 64, r.DurationS, most*1.5)
	if c.y0 = fewest / 1.5; fewest < most/4 {
		c.log = true
	} else {
		c.y0 = 0
	}
	r.bands(c, false)
	c.axes(times, times)
	before.across(c, f, typical, c.x0, c.x1)
	if limit > 0 {
		c.across("limit", c.x0, c.x1, limit, text)
	}
	for _, x := range list {
		took := map[ledger.Fate]string{ledger.Never: "never", ledger.Waiting: "not known: the run was ended"}[x.Fate]
		if x.Fate == ledger.Recovered {
			took = seconds(x.Took().Seconds())
			c.linked(fmt.Sprintf("#fault-%d", x.N), func() {
				c.dot("point", x.At.Seconds(), x.Took().Seconds(), fmt.Sprintf("#%d slot %d: %s", x.N, x.Slot, took))
			})
		} else if x.Fate == ledger.Never {
			c.linked(fmt.Sprintf("#fault-%d", x.N), func() {
				c.sign("never", cross, c.px(x.At.Seconds()), c.py(c.y1), fmt.Sprintf("#%d slot %d: never", x.N, x.Slot))
			})
		}
		if len(f.Rows) < 500 {
			f.Rows = append(f.Rows, []string{fmt.Sprint(x.N), fmt.Sprint(x.Slot), seconds(x.At.Seconds()), took})
		}
	}
	if f.Note = note; len(list) > len(f.Rows) {
		f.Note += fmt.Sprintf("The table has the first %d of %s recoveries.",
			len(f.Rows), whole(float64(len(r.Ledger.Slots.Deaths))))
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

// spreadFigure is the cumulative distribution of the recoveries.
func (r *Report) spreadFigure(before ghost) *Figure {
	var took []float64
	all, note := r.recoveries()
	for _, x := range all {
		if x.Fate == ledger.Recovered {
			took = append(took, x.Took().Seconds())
		}
	}
	if len(took) < 2 {
		return nil
	}
	slices.Sort(took)
	limit, text := r.budget()
	f := &Figure{
		ID: "spread", Class: "half", Title: "Slot recovery, cumulative",
		Columns: []string{"share of deaths", "recovered within"},
		Desc: "Which share of the deaths had recovered within which time; a curve that ends below 100 % has slots " +
			"that never came back.",
		Legend: []Key{{"line", "share recovered"}, {"limit", "budget"}}, Note: note,
	}
	ghosts := before.recoveries()
	from, to := took[0], max(took[len(took)-1], limit)
	if n := len(ghosts); n > 0 {
		from, to = min(from, ghosts[0]), max(to, ghosts[n-1])
	}
	c := newChart(halfChart, 220, 64, to*1.3, 1.05)
	if low := max(from, 1e-6); low < c.x1/4 {
		c.logX, c.x0 = true, low/1.3
	}
	c.axes(times, axis{text: func(v float64) string { return three(100*v) + "%" }})
	if n := len(ghosts); n > 0 {
		shares := make([]float64, n)
		for i := range ghosts {
			shares[i] = float64(i+1) / float64(n)
		}
		c.steps("ghost", ghosts, shares, ghosts[n-1])
		f.Columns, f.Legend = append(f.Columns, "baseline, within"),
			append(f.Legend, Key{"ghost", "baseline, " + plural(len(before.runs), "run")})
	}
	xs, ys := make([]float64, len(took)), make([]float64, len(took))
	for i, v := range took {
		xs[i], ys[i] = v, float64(i+1)/float64(len(all))
	}
	c.steps("line", xs, ys, xs[len(xs)-1])
	if limit > 0 {
		c.mark("limit", limit, text)
	}
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 1} {
		i := int(math.Ceil(q*float64(len(all)))) - 1
		v := "never"
		if i < len(took) {
			v = check.Seconds.Format(took[max(i, 0)])
		}
		if float64(len(all)) >= 1/(1-min(q, 0.5)) {
			row := []string{three(100*q) + "%", v}
			if n := len(ghosts); n > 0 {
				row = append(row, check.Seconds.Format(ghosts[int(math.Ceil(q*float64(n)))-1]))
			}
			f.Rows = append(f.Rows, row)
		}
	}
	f.SVG = c.svg(f.ID, f.Title, f.Desc)
	return f
}

package reports

import (
	"fmt"
	"math"
	"slices"
)

// ghost is what the runs of a baseline were, for drawing it behind what this run is. Without any it draws nothing.
type ghost struct{ runs []*Report }

// ghostOf is the baseline's runs that this one is compared with.
func (r *Report) ghostOf(baseline []*Report) ghost {
	runs, _ := r.Comparable(baseline, 1)
	return ghost{runs}
}

// across draws the middle of a metric over the baseline's runs as a line from one time to another, the range that it
// had over several of them as a band, and lists it under the figure.
func (b ghost) across(c *chart, f *Figure, metric string, from, to float64) {
	low, mid, high := b.over(metric)
	if math.IsNaN(mid) || mid < c.y0 {
		return
	}
	text := value(metric, mid)
	if low < high {
		text += fmt.Sprintf(" (%s to %s)", value(metric, low), value(metric, high))
		c.rect("ghosts", from, max(low, c.y0), to, min(high, c.y1), "")
	}
	if mid <= c.y1 {
		c.add(`<path class="ghost"%s d="M%.1f %.1fH%.1f">%s</path>`, looks["ghost"], c.px(from), c.py(mid), c.px(to),
			titled("baseline, "+metric+": "+text))
	}
	if len(f.Ghosts) == 0 {
		f.Legend = append(f.Legend, Key{"ghost", "baseline: the middle of its runs, and their range"})
	}
	f.Ghosts = append(f.Ghosts, metric+" "+text)
}

// highest is how far a metric's range goes up, 0 without any: what the axis must have room for.
func (b ghost) highest(metrics ...string) (most float64) {
	for _, m := range metrics {
		if _, _, high := b.over(m); high > most {
			most = high
		}
	}
	return most
}

func (b ghost) over(metric string) (low, mid, high float64) { return spread(b.runs, metric) }

// recoveries are those of all runs together, ascending.
func (b ghost) recoveries() (all []float64) {
	for _, r := range b.runs {
		all = append(all, r.Recoveries...)
	}
	slices.Sort(all)
	return all
}

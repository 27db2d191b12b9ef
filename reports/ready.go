package reports

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// readyBin is how many members were ready in a part of the run: the fewest, at its end, and over its time.
type readyBin struct {
	fewest, last, want int
	members            float64 // ready, times seconds
}

// readyBins spreads the steps evenly over the run up to its end or to the stage stop. Before the first step nothing is
// known.
func (r *Report) readyBins() (bins []readyBin, from, width time.Duration) {
	steps := r.Ledger.Readiness()
	end := r.Ledger.Now
	if at, _, ok := r.stage(history.Stop); ok {
		end = time.Duration(math.Round(at * float64(time.Second)))
	}
	if len(steps) > 0 && steps[0].Ready == 0 && len(steps) > 1 { // nobody had come up
		steps = steps[1:]
	}
	if len(steps) == 0 || end <= steps[0].At {
		return nil, 0, 0
	}
	from = steps[0].At
	width = max((end-from)/ledger.MostBins, time.Millisecond)
	i := 0
	for start := from; start < end; start += width {
		stop := min(end, start+width)
		for i+1 < len(steps) && steps[i+1].At <= start {
			i++
		}
		b := readyBin{fewest: steps[i].Ready, last: steps[i].Ready, want: steps[i].Want}
		for at := start; at < stop; {
			next := stop
			if i+1 < len(steps) && steps[i+1].At < stop {
				next = steps[i+1].At
			}
			b.members += float64(steps[i].Ready) * (next - at).Seconds()
			if at = next; at < stop {
				i++
				b.fewest, b.last, b.want = min(b.fewest, steps[i].Ready), steps[i].Ready, steps[i].Want
			}
		}
		b.members /= (stop - start).Seconds()
		bins = append(bins, b)
	}
	for _, d := range r.Ledger.Looks.Dips { // what /proc showed, beside what the target told
		if k := int((d.At - from) / width); d.At >= from && k < len(bins) {
			bins[k].fewest = min(bins[k].fewest, d.Ready)
		}
	}
	return bins, from, width
}

// readyFigure is the number of ready members over time against what is wanted.
func (r *Report) readyFigure() *Figure {
	bins, from, width := r.readyBins()
	if len(bins) == 0 {
		return nil
	}
	f := &Figure{
		ID: "ready", Title: "Ready members",
		Columns: []string{"from", "ready, on average", "ready, fewest", "ready, at the end", "wanted"},
		Desc: "How many members were ready over time, against how many were wanted: the average of each moment, " +
			"weighted by time, and the fewest in it. The stage of the faults is shaded, each confirmed one is a line.",
		Legend: []Key{
			{"line", "ready, on average"},
			{"low", "down to the fewest"},
			{"want", "wanted"},
			{"fault", "confirmed fault"},
		},
	}
	var xs, ready, want []float64
	most := 1.0
	for i, b := range bins {
		x := (from + time.Duration(i)*width).Seconds()
		xs, ready, want = append(xs, x), append(ready, b.members), append(want, float64(b.want))
		most = max(most, float64(b.last), float64(b.want), b.members)
		f.Rows = append(f.Rows, []string{
			seconds(x), three(b.members), whole(float64(b.fewest)), whole(float64(b.last)), whole(float64(b.want)),
		})
	}
	end := xs[len(xs)-1] + width.Seconds()
	c := newChart(wideChart, 190, 56, r.DurationS, most*1.1)
	r.bands(c, true)
	c.axes(times, counts)
	var dips strings.Builder
	for i, b := range bins {
		if float64(b.fewest) < b.members {
			fmt.Fprintf(&dips, "M%.1f %.1fV%.1f", c.px(xs[i]+width.Seconds()/2), c.py(b.members),
				c.py(float64(b.fewest)))
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

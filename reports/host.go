package reports

import "github.com/respawn-go/respawn/chaos/ledger"

// hostFigures are small ones: memory, CPU and descriptors.
func (r *Report) hostFigures() (list []Figure) {
	for _, k := range []struct {
		id, title, desc string
		value           func(h, before ledger.LookBin) float64
		axis            axis
	}{
		{
			"memory", "Memory of the members", "Resident set of all members together.",
			func(h, _ ledger.LookBin) float64 { return float64(h.RSS) }, sizes,
		},
		{
			"parent", "Memory of the parent", "Resident set of the process that holds the pool.",
			func(h, _ ledger.LookBin) float64 { return float64(h.Parent) }, sizes,
		},
		{
			"fds", "Descriptors of the parent", "Open file descriptors of the process that holds the pool.",
			func(h, _ ledger.LookBin) float64 { return float64(h.FDs) }, counts,
		},
		{
			"goroutines", "Goroutines", "Goroutines of the process that holds the pool.",
			func(h, _ ledger.LookBin) float64 { return float64(h.Goroutines) }, counts,
		},
		{
			"cpu", "CPU of the members", "CPUs in use by the members, from their CPU time between samples.",
			func(h, b ledger.LookBin) float64 {
				return max(0, (h.CPU-b.CPU).Seconds()/(h.At-b.At).Seconds())
			}, rates,
		},
	} {
		f := Figure{ID: k.id, Class: "small", Title: k.title, Desc: k.desc, Columns: []string{"from", k.title}}
		var xs, ys []float64
		most := 0.0
		var before ledger.LookBin
		for i, h := range r.Ledger.Series.Looks.List {
			if !h.Seen {
				continue
			}
			x, y := float64(i)*r.Ledger.Series.Looks.Width.Seconds(), k.value(h, before)
			if before = h; len(xs) == 0 && k.id == "cpu" {
				y = 0
			}
			xs, ys, most = append(xs, x), append(ys, y), max(most, y)
			f.Rows = append(f.Rows, []string{seconds(x), k.axis.text(y)})
		}
		if most == 0 {
			continue
		}
		c := newChart(halfChart, 130, 72, r.DurationS, most*1.15)
		r.bands(c, true)
		c.axes(times, k.axis)
		c.steps("line", xs, ys, r.DurationS)
		f.SVG = c.svg(f.ID, f.Title, f.Desc)
		list = append(list, f)
	}
	return list
}

package reports

// hostFigures are small ones: memory, CPU and descriptors.
func (p *plots) hostFigures(r *Report) (list []Figure) {
	for _, k := range []struct {
		id, title, desc string
		value           func(h, before hostBin) float64
		axis            axis
	}{
		{"memory", "Memory of the members", "Resident set of all members together.", func(h, _ hostBin) float64 { return float64(h.rss) }, sizes},
		{"parent", "Memory of the parent", "Resident set of the process that holds the pool.", func(h, _ hostBin) float64 { return float64(h.parent) }, sizes},
		{"fds", "Descriptors of the parent", "Open file descriptors of the process that holds the pool.", func(h, _ hostBin) float64 { return float64(h.fds) }, counts},
		{"goroutines", "Goroutines", "Goroutines of the process that holds the pool.", func(h, _ hostBin) float64 { return float64(h.goroutines) }, counts},
		{"cpu", "CPU of the members", "CPUs in use by the members, from their CPU time between samples.", func(h, b hostBin) float64 {
			return max(0, (h.cpu-b.cpu).Seconds()/(h.at-b.at).Seconds())
		}, rates},
	} {
		f := Figure{ID: k.id, Class: "small", Title: k.title, Desc: k.desc, Columns: []string{"from", k.title}}
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

package reports

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// pressureBin is looks at the host: CPU times added up, and the latest that a sleep ended.
type pressureBin struct {
	from, to               time.Duration // to is 0 without any look
	all, own, others, late time.Duration
	starved                bool
}

func (b *pressureBin) grow(n pressureBin) {
	switch {
	case n.to == 0:
	case b.to == 0:
		*b = n
	default:
		b.from, b.to = min(b.from, n.from), max(b.to, n.to)
		b.all, b.own, b.others = b.all+n.all, b.own+n.own, b.others+n.others
		b.late, b.starved = max(b.late, n.late), b.starved || n.starved
	}
}

func (p *plots) hostLook(t time.Duration, h *history.Host) {
	if h.Over <= 0 {
		return
	}
	b := pressureBin{
		from: max(0, t-h.Over), to: t, all: h.Over * time.Duration(h.CPUs), own: h.Own, others: h.Others + h.Stolen, starved: check.Starved(h),
	}
	for _, late := range h.Late {
		b.late = max(b.late, late)
	}
	p.pressure.at(t).grow(b)
}

// pressureFigures are how the CPU time of the host was shared, and how late the harness's canary woke.
func (p *plots) pressureFigures(r *Report) (list []Figure) {
	var xs, own, others, late []float64
	var starved [][2]float64
	most := 0.0
	cpu := Figure{
		ID: "host-cpu", Class: "small", Title: "CPU of the host", Columns: []string{"from", "harness and target, %", "others, %", "starved"},
		Desc:   "Share of the host's CPU time that the harness and the target used, and that others did. Where too little was left for the run, the host is marked as starved.",
		Legend: []Key{{"line", "harness and target"}, {"want", "others"}, {"bad", "starved"}},
	}
	canary := Figure{
		ID: "host-lateness", Class: "small", Title: "Lateness of a sleep", Columns: []string{"from", "latest"},
		Desc: "How much later than it should a goroutine of the harness woke that does nothing but sleep: the most of each look at the host.",
	}
	for _, b := range p.pressure.list {
		if b.to == 0 {
			continue
		}
		share := func(d time.Duration) float64 { return min(100, 100*float64(d)/float64(max(1, b.all))) }
		xs, own, others = append(xs, b.from.Seconds()), append(own, share(b.own)), append(others, share(b.others))
		late = append(late, b.late.Seconds())
		most = max(most, b.late.Seconds())
		word := "no"
		if b.starved {
			word = "yes"
			starved = append(starved, [2]float64{b.from.Seconds(), b.to.Seconds()})
		}
		cpu.Rows = append(cpu.Rows, []string{seconds(b.from.Seconds()), whole(math.Round(share(b.own))), whole(math.Round(share(b.others))), word})
		canary.Rows = append(canary.Rows, []string{seconds(b.from.Seconds()), seconds(b.late.Seconds())})
	}
	if len(xs) == 0 {
		return nil
	}
	c := newChart(halfChart, 130, 72, r.DurationS, 100)
	r.bands(c, true)
	c.axes(times, counts)
	for _, s := range starved {
		c.rect("bad", s[0], 0, s[1], 4, "starved")
	}
	c.steps("want", xs, others, r.DurationS)
	c.steps("line", xs, own, r.DurationS)
	cpu.SVG = c.svg(cpu.ID, cpu.Title, cpu.Desc)
	c = newChart(halfChart, 130, 72, r.DurationS, max(most, 1e-3)*1.15)
	r.bands(c, true)
	c.axes(times, axis{text: seconds})
	c.steps("line", xs, late, r.DurationS)
	canary.SVG = c.svg(canary.ID, canary.Title, canary.Desc)
	return []Figure{cpu, canary}
}

// hostLine is one sentence on the host: whether the run had the CPU time that it wanted. "" where nobody looked.
func (r *Report) hostLine() string {
	starved, looked := r.Metrics["host.starved"]
	if !looked {
		return ""
	}
	parts := []string{}
	for _, k := range []struct{ metric, text string }{
		{"host.others", "others took %s of its CPU time"},
		{"host.own", "the run %s"},
		{"host.steal", "other machines %s"},
		{"host.throttled", "a limit stopped the run in %s of the periods"},
		{"host.lateness.max", "a sleep ended up to %s late"},
		{"host.floor.change", "a process starts in %s of the time before the run"},
	} {
		if v, ok := r.Metrics[k.metric]; ok && (v > 0 || k.metric == "host.others") {
			parts = append(parts, fmt.Sprintf(k.text, briefValue(k.metric, v)))
		}
	}
	how := "The host was not starved"
	if starved > 0 {
		how = fmt.Sprintf("The host was starved for %s of %s", seconds(starved), seconds(r.DurationS))
	}
	return how + ": " + strings.Join(parts, ", ") + "."
}

// briefValue is value with a ratio as a whole percentage.
func briefValue(metric string, v float64) string {
	if unitOf(metric) == check.Ratio {
		return whole(math.Round(100*v)) + "%"
	}
	return value(metric, v)
}

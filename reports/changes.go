package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// diffed are the metrics of the comparison with the baseline.
var diffed = []string{
	"slot.recovery.p50", "slot.recovery.p95", "slot.recovery.max", "pool.below.total", "tasks.throughput.during",
	"tasks.latency.during.p50", "tasks.latency.during.p99", "memory.members.max", "memory.growth", "fds.growth",
}

// change is a metric of a run and those of the baseline's runs.
type change struct {
	metric              string
	now, low, mid, high float64
	better, worse       bool      // neither: within what the baseline's own runs differ by
	trend               []float64 // of the baseline's runs in the order of time, and last this one
}

// changes are the metrics that both sides have, the number of the baseline's runs, and what is to be known of the
// choice of them.
func (r *Report) changes(baseline []*Report, metrics ...string) (list []change, runs int, why string) {
	before, why := r.Comparable(baseline, 1)
	before = slices.Clone(before)
	slices.SortStableFunc(before, func(a, b *Report) int { return a.Started.Compare(b.Started) })
	for _, name := range metrics {
		now, ok := r.Metrics[name]
		low, mid, high := spread(before, name)
		if !ok || math.IsNaN(mid) {
			continue
		}
		c := change{metric: name, now: now, low: low, mid: mid, high: high}
		if now < low || now > high || len(before) == 1 && now != mid {
			c.better = strings.HasPrefix(name, "tasks.throughput.") == (now > mid)
			c.worse = !c.better
		}
		for _, b := range before {
			if v, ok := b.Metrics[name]; ok {
				c.trend = append(c.trend, v)
			}
		}
		c.trend = append(c.trend, now)
		list = append(list, c)
	}
	return list, len(before), why
}

// cell is the change as text, with its direction as a sign and in words, and the class of its look.
func (c change) cell() cell {
	if !c.better && !c.worse {
		return cell{"within the baseline's noise", "none"}
	}
	if c.better {
		return cell{c.by() + ", better", "good"}
	}
	return cell{c.by() + ", worse", "bad"}
}

// by is how much it changed: "▲ +12%".
func (c change) by() string {
	text := "was 0"
	if c.mid != 0 {
		text = fmt.Sprintf("%+.0f%%", 100*(c.now/c.mid-1))
	}
	if c.now < c.mid {
		return "▼ " + text
	}
	return "▲ " + text
}

// inShort is what changed in a line, the worse first: "1 worse (slot.recovery.p50 ▲ +620%), 2 better (…), 4 within its
// noise".
func inShort(list []change) string {
	var worse, better []string
	same := 0
	for _, c := range list {
		switch {
		case c.worse:
			worse = append(worse, c.metric+" "+c.by())
		case c.better:
			better = append(better, c.metric+" "+c.by())
		default:
			same++
		}
	}
	var parts []string
	if len(worse) > 0 {
		parts = append(parts, fmt.Sprintf("%d worse (%s)", len(worse), strings.Join(worse, ", ")))
	}
	if len(better) > 0 {
		parts = append(parts, fmt.Sprintf("%d better (%s)", len(better), strings.Join(better, ", ")))
	}
	if same > 0 {
		parts = append(parts, fmt.Sprintf("%d within its noise", same))
	}
	return strings.Join(parts, ", ")
}

// diff is the comparison with the baseline as a table.
func (r *Report) diff(baseline []*Report) table {
	t := table{
		Name:    "This run and the baseline",
		Columns: []string{"metric", "this run", "baseline, median", "baseline, lowest to highest", "change"},
	}
	list, runs, why := r.changes(baseline, diffed...)
	for _, c := range list {
		row := cells(c.metric, value(c.metric, c.now), value(c.metric, c.mid),
			value(c.metric, c.low)+" to "+value(c.metric, c.high))
		t.Rows = append(t.Rows, append(row, c.cell()))
	}
	if len(t.Rows) > 0 {
		t.Note = plural(runs, "run") +
			" of the baseline. One run decides nothing: the gate compares many (respawn gate --baseline)."
		if why != "" {
			t.Note += " " + upper(why) + "."
		}
	}
	return t
}

// mostBlocks bounds a sparkline: the latest values are shown.
const mostBlocks = 20

// sparkline draws values as blocks, from the lowest to the highest; × is what is not finite. "" of fewer than two.
func sparkline(values []float64) string {
	blocks := []rune("▁▂▃▄▅▆▇█")
	if len(values) < 2 {
		return ""
	}
	values = values[max(0, len(values)-mostBlocks):]
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	var b strings.Builder
	for _, v := range values {
		switch {
		case math.IsInf(v, 0) || math.IsNaN(v):
			b.WriteRune('×')
		case high == low:
			b.WriteRune(blocks[len(blocks)/2-1])
		default:
			b.WriteRune(blocks[int(math.Round((v-low)/(high-low)*float64(len(blocks)-1)))])
		}
	}
	return b.String()
}

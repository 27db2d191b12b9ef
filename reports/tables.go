package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// upper is a phrase as the beginning of a sentence.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// exitMatrix counts how members ended against what explains it.
func (r *Report) exitMatrix() table {
	type key struct{ end, cause string }
	counts, ends, causes := map[key]int{}, map[string]bool{}, map[string]bool{}
	for _, x := range r.Exits {
		k := key{x.end(), "the target itself"}
		if x.OOM != "" {
			k.end += ", out of memory"
		}
		switch {
		case x.Fault > 0:
			k.cause = "a fault"
		case x.unexplained:
			k.cause = "nobody knows"
		}
		counts[k]++
		ends[k.end], causes[k.cause] = true, true
	}
	t := table{Name: "Exits by their cause", Columns: append([]string{"ended by"}, slices.Sorted(maps.Keys(causes))...)}
	for _, end := range slices.Sorted(maps.Keys(ends)) {
		row := cells(end)
		for _, cause := range t.Columns[1:] {
			c := cell{"", "none"}
			if n := counts[key{end, cause}]; n > 0 {
				c = cell{fmt.Sprint(n), ""}
				if cause == "nobody knows" {
					c.Class = "bad"
				}
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// coverage counts confirmed injections by fault and by what the victim was doing.
func (r *Report) coverage() table {
	counts, phases := map[string]map[string]int{}, map[string]bool{}
	for _, f := range r.Faults {
		if f.Outcome != confirmed {
			continue
		}
		phase := "the whole target"
		if f.Victim != nil {
			phase = cmp.Or(f.Victim.Phase, "not told")
		}
		if counts[f.Fault] == nil {
			counts[f.Fault] = map[string]int{}
		}
		counts[f.Fault][phase]++
		phases[phase] = true
	}
	t := table{Name: "Confirmed injections by fault and phase", Columns: append([]string{"fault"}, slices.Sorted(maps.Keys(phases))...)}
	for _, fault := range slices.Sorted(maps.Keys(counts)) {
		row := cells(fault)
		for _, phase := range t.Columns[1:] {
			c := cell{"", "none"}
			if n := counts[fault][phase]; n > 0 {
				c = cell{fmt.Sprint(n), "good"}
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// The genealogy has this many rows, processes in one, and processes in all at most.
const (
	maxLineage   = 500
	maxSteps     = 100
	maxProcesses = 2000
)

// lineage is each slot's processes, one after the other.
func (r *Report) lineage() table {
	t := table{Name: "Processes of each slot", Columns: []string{"slot", "processes, first to last"}}
	shown := 0
	slots := slices.Sorted(maps.Keys(r.plots.lanes))
	for i, s := range slots {
		if i == maxLineage {
			t.Note = fmt.Sprintf("The first %d of %d slots are shown.", maxLineage, len(slots))
			break
		}
		l := r.plots.lanes[s]
		var steps []string
		for j, b := range l.bars {
			if j == maxSteps || shown == maxProcesses {
				steps = append(steps, fmt.Sprintf("and %d more", len(l.bars)-j))
				break
			}
			shown++
			step := fmt.Sprintf("%d", b.pid)
			if b.to >= 0 {
				end, _ := r.endOf(b)
				step += " († " + end + ")"
			}
			steps = append(steps, step)
		}
		if l.left > 0 {
			steps = append(steps, fmt.Sprintf("and %d more", l.left))
		}
		t.Rows = append(t.Rows, cells(fmt.Sprint(s), strings.Join(steps, " → ")))
	}
	return t
}

// diffed are the metrics of the comparison with the baseline.
var diffed = []string{
	"slot.recovery.p50", "slot.recovery.p95", "slot.recovery.max", "pool.below.total", "tasks.throughput.during",
	"tasks.latency.during.p50", "tasks.latency.during.p99", "memory.members.max", "memory.growth", "fds.growth",
}

// diff compares some metrics with the baseline's median and the spread of its runs.
func (r *Report) diff(baseline []*Report) table {
	t := table{Name: "This run and the baseline", Columns: []string{"metric", "this run", "baseline, median", "baseline, lowest to highest", "change"}}
	list, why := r.Comparable(baseline, 1)
	for _, name := range diffed {
		now, ok := r.Metrics[name]
		low, mid, high := spread(list, name)
		if !ok || math.IsNaN(mid) {
			continue
		}
		change := cell{"within the baseline's noise", "none"}
		if now < low || now > high || len(list) == 1 {
			change = cell{fmt.Sprintf("%+.0f %%", 100*(now/mid-1)), ""}
			if mid == 0 {
				change.Text = "was 0"
			}
		}
		row := cells(name, value(name, now), value(name, mid), value(name, low)+" to "+value(name, high))
		t.Rows = append(t.Rows, append(row, change))
	}
	if len(t.Rows) > 0 {
		t.Note = plural(len(list), "run") + " of the baseline. One run decides nothing: the gate compares many (respawn gate --baseline)."
		if why != "" {
			t.Note += " " + upper(why) + "."
		}
	}
	return t
}

package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
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
		if f.Outcome != history.Confirmed {
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
	t := table{
		Name:    "Confirmed injections by fault and phase",
		Columns: append([]string{"fault"}, slices.Sorted(maps.Keys(phases))...),
	}
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

// maxLineage bounds the slots of the genealogy.
const maxLineage = 500

// lineage is what became of each slot's processes.
func (r *Report) lineage() table {
	t := table{
		Name: "Processes of each slot", Columns: []string{"slot", "processes", "first pid", "last pid", "ends"},
		Prefix: "slot",
	}
	slots := slices.Sorted(maps.Keys(r.slots()))
	for i, s := range slots {
		if i == maxLineage {
			t.Note = fmt.Sprintf("The first %s of %s slots are shown.", whole(maxLineage), whole(float64(len(slots))))
			break
		}
		l := r.slots()[s]
		if len(l) == 0 {
			continue
		}
		ends, class := map[string]int{}, ""
		for _, b := range l {
			if b.To < 0 {
				continue
			}
			end, look := r.endOf(b)
			end, _, _ = strings.Cut(end, ", by fault #")
			switch look {
			case "bad":
				class = "bad"
				end += ", nobody knows why"
			case "dead":
				end += " by a fault"
			}
			ends[end]++
		}
		var told []string
		for _, end := range slices.Sorted(maps.Keys(ends)) {
			told = append(told, whole(float64(ends[end]))+" × "+end)
		}
		row := cells(fmt.Sprint(s), whole(float64(len(l))), fmt.Sprint(l[0].PID), fmt.Sprint(l[len(l)-1].PID))
		t.Rows = append(t.Rows, append(row, cell{strings.Join(told, "; "), class}))
	}
	return t
}

// shownExits bounds the exits of the page's table.
const shownExits = 200

// exitRow is one end of a member.
type exitRow struct {
	Exit
	N, At, How string
	Class      string
	Lines      []int
}

// shownExitRows are the exits of the page, those first that nobody can explain, and how many there are not.
func (r *Report) shownExitRows() (rows []exitRow, left int) {
	order := slices.Clone(r.Exits)
	slices.SortStableFunc(order, func(a, b Exit) int { return btoi(b.unexplained) - btoi(a.unexplained) })
	for i, x := range order[:min(len(order), shownExits)] {
		row := exitRow{Exit: x, N: fmt.Sprint(i + 1), At: seconds(x.AtS), How: x.how(), Lines: r.named(x.line)}
		if x.unexplained {
			row.Class = "broken"
			row.How += ", and nobody knows why"
		}
		rows = append(rows, row)
	}
	return rows, len(order) - len(rows)
}

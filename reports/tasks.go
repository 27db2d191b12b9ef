package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
)

// taskTable is the ledger of submissions that did not simply succeed.
type taskTable struct {
	Bad, Retried []taskRow
	Note         string
}

type taskRow struct {
	ID                 uint64
	Outcome            string
	Submitted, Settled string
	Attempts           int
	Err                string
	Runs               string
	Lines              []int // of the history that findings name
}

// troubledTasks is what failed or never settled, and what was run more than once.
func (r *Report) troubledTasks() (t taskTable) {
	p := &r.plots
	var bad, retried []*taskLine
	for _, l := range p.tasks {
		if l.outcome == history.OK {
			retried = append(retried, l)
		} else {
			bad = append(bad, l)
		}
	}
	rows := func(list []*taskLine) (rows []taskRow) {
		slices.SortFunc(list, func(a, b *taskLine) int { return cmp.Compare(a.id, b.id) })
		for _, l := range list[:min(len(list), maxTroubled)] {
			rows = append(rows, r.taskRow(l))
		}
		return rows
	}
	t.Bad, t.Retried = rows(bad), rows(retried)
	shown := len(t.Bad) + len(t.Retried)
	left := max(0, p.troubled["bad"]-maxTroubled) + max(0, p.troubled["retried"]-maxTroubled) + len(bad) + len(retried) - shown
	if left > 0 {
		t.Note = fmt.Sprintf("%s are shown, %s are left out; the history has all, the metrics count all.", whole(float64(shown)), whole(float64(left)))
	}
	return t
}

func (r *Report) taskRow(l *taskLine) taskRow {
	row := taskRow{
		ID: l.id, Outcome: string(l.outcome), Submitted: seconds(l.submitted.Seconds()), Settled: "never",
		Attempts: l.attempts, Err: l.err, Lines: r.named(l.lines[:]...),
	}
	if l.settled >= 0 {
		row.Settled = seconds(l.settled.Seconds())
	} else {
		row.Outcome = "never settled"
	}
	runs := make([]string, len(l.runs))
	for i, run := range l.runs {
		end := "did not end"
		if run.End > 0 {
			end = "to " + seconds(run.End.Seconds())
		}
		runs[i] = fmt.Sprintf("pid %d from %s %s", run.PID, seconds(run.Start.Seconds()), end)
	}
	row.Runs = strings.Join(runs, "; ")
	return row
}

// named are those of the history's lines that a finding on the page names.
func (r *Report) named(lines ...int) (list []int) {
	for _, line := range lines {
		for _, f := range r.Findings[:min(len(r.Findings), shownFindings)] {
			if line > 0 && f.Event == line && !slices.Contains(list, line) {
				list = append(list, line)
			}
		}
	}
	return list
}

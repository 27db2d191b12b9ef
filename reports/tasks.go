package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
)

// taskTable is the ledger of submissions that did not simply succeed.
type taskTable struct {
	Rows []taskRow
	Note string
}

type taskRow struct {
	ID                 uint64
	Outcome            string
	Submitted, Settled string
	Attempts           int
	Err                string
	Runs               []string
	Bad                bool
}

// troubledTasks lists what failed or never settled, then what was retried.
func (r *Report) troubledTasks() (t taskTable) {
	p := &r.plots
	ids := slices.SortedFunc(maps.Keys(p.tasks), func(a, b uint64) int {
		if x, y := p.tasks[a].outcome == history.OK, p.tasks[b].outcome == history.OK; x != y {
			return map[bool]int{true: 1, false: -1}[x]
		}
		return cmp.Compare(a, b)
	})
	left := max(0, p.troubled["bad"]-maxTroubled) + max(0, p.troubled["retried"]-maxTroubled)
	if n := len(ids) - 2*maxTroubled; n > 0 {
		ids, left = ids[:2*maxTroubled], left+n
	}
	if left > 0 {
		t.Note = fmt.Sprintf("%d are shown, %d are left out; the history has all, the metrics count all.", len(ids), left)
	}
	for _, id := range ids {
		t.Rows = append(t.Rows, taskRowOf(p.tasks[id]))
	}
	return t
}

func taskRowOf(l *taskLine) taskRow {
	row := taskRow{
		ID: l.id, Outcome: string(l.outcome), Submitted: seconds(l.submitted.Seconds()), Settled: "never",
		Attempts: l.attempts, Err: l.err, Bad: l.outcome != history.OK,
	}
	if l.settled >= 0 {
		row.Settled = seconds(l.settled.Seconds())
	} else {
		row.Outcome = "never settled"
	}
	for _, run := range l.runs {
		end := "did not end"
		if run.End > 0 {
			end = "to " + seconds(run.End.Seconds())
		}
		row.Runs = append(row.Runs, fmt.Sprintf("attempt %d on pid %d from %s %s", run.Attempt, run.PID, seconds(run.Start.Seconds()), end))
	}
	return row
}

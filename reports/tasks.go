package reports

import (
	"fmt"
	"slices"
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
	Runs               []runCell
	Lines              []int // of the history that findings name
}

// maxTroubled bounds the tasks of a kind that are shown.
const maxTroubled = 200

// runCell is an execution of a task: its process with links to its slot and to what killed it.
type runCell struct {
	Text  string
	Links []link
}

// troubledTasks is what failed or never settled, and what was run more than once.
func (r *Report) troubledTasks() (t taskTable) {
	bad, again := r.Ledger.Troubled()
	if r.Verdict == running { // what never settles is known at the end
		bad = slices.DeleteFunc(bad, func(id uint64) bool { return r.Ledger.Tasks.All[id].End() == "" })
	}
	rows := func(list []uint64) (rows []taskRow) {
		for _, id := range list[:min(len(list), maxTroubled)] {
			rows = append(rows, r.taskRow(id))
		}
		return rows
	}
	t.Bad, t.Retried = rows(bad), rows(again)
	shown := len(t.Bad) + len(t.Retried)
	if left := len(bad) + len(again) - shown; left > 0 {
		t.Note = fmt.Sprintf("%s are shown, %s are left out; the history has all, the metrics count all.",
			whole(float64(shown)), whole(float64(left)))
	}
	return t
}

func (r *Report) taskRow(id uint64) taskRow {
	e := r.Ledger.Tasks.All[id]
	row := taskRow{
		ID: id, Outcome: string(e.End()), Submitted: seconds(e.Submitted.Seconds()), Settled: "never",
		Attempts: int(e.Attempts), Err: r.Ledger.Tasks.Errs[id], Lines: r.named(int(e.Begun), int(e.Line)),
	}
	if e.End() != "" {
		row.Settled = seconds(e.Settled.Seconds())
	} else {
		row.Outcome = "never settled"
	}
	for n, run := range r.Ledger.Tasks.RunsOf(id, e) {
		end := "did not end"
		if run.End > 0 {
			end = "to " + seconds(run.End.Seconds())
		}
		if n == maxRuns {
			row.Runs = append(row.Runs, runCell{Text: "…"})
			break
		}
		cell := runCell{Text: fmt.Sprintf("pid %d from %s %s", run.PID, seconds(run.Start.Seconds()), end)}
		if one := r.Ledger.Lives.Of(int(run.PID), run.Start); one != nil && one.Slot >= 0 {
			cell.Links = append(cell.Links, link{fmt.Sprintf("#slot-%d", one.Slot), fmt.Sprintf("slot %d", one.Slot)})
		}
		if k := killerOf(r.Ledger, int(run.PID), run.Start); k != nil && (run.End == 0 || k.Died < run.End) {
			cell.Links = append(cell.Links,
				link{fmt.Sprintf("#fault-%d", k.N), fmt.Sprintf("killed by fault #%d", k.N)})
		}
		row.Runs = append(row.Runs, cell)
	}
	return row
}

// maxRuns bounds the executions of one task that are shown.
const maxRuns = 20

// named are those of the history's lines that a finding on the page names.
func (r *Report) named(lines ...int) (list []int) {
	for _, line := range lines {
		for _, f := range r.Findings[:min(len(r.Findings), shownFindings)] {
			if line > 0 && f.Event == line && !slices.Contains(list, line) && !r.story.quotes(line) {
				list = append(list, line)
			}
		}
	}
	return list
}

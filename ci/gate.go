package ci

import (
	"fmt"
	"maps"
	"slices"

	"github.com/respawn-go/respawn/reports"
)

// Decision is the gate's outcome over many runs.
type Decision struct {
	Green bool   `json:"green"`
	Rows  []Row  `json:"rows"` // by scenario, in alphabetical order
	Note  string `json:"note,omitempty"`
}

// Row is one scenario.
type Row struct {
	Scenario string            `json:"scenario"`
	Runs     int               `json:"runs"`
	Verdicts []reports.Verdict `json:"verdicts"`
	Green    bool              `json:"green"`
	Skipped  bool              `json:"skipped,omitempty"`
	Reason   string            `json:"reason"` // one line: why it is red, or what holds
	Change   *Change           `json:"change,omitempty"`
}

// Exit is the command's exit code: 0 green; else the worst one of the runs' verdicts, and 1 for what is missing.
func (d Decision) Exit() int {
	if d.Green {
		return 0
	}
	code := 1
	for _, r := range d.Rows {
		for _, v := range r.Verdicts {
			if !r.Green && v == reports.Error {
				code = v.ExitCode()
			}
		}
	}
	return code
}

// Decide judges the runs by the policy; baseline may be empty, then nothing is compared. Runs that could not be read are red.
func Decide(runs, baseline []*reports.Report, p Policy, unread ...*reports.UnreadError) Decision {
	byName, before := group(runs), group(baseline)
	lost := map[string]*reports.UnreadError{}
	for _, u := range unread {
		lost[u.Run] = u
	}
	names := slices.Concat(p.Scenarios, slices.Collect(maps.Keys(byName)), slices.Collect(maps.Keys(lost)))
	slices.Sort(names)
	names = slices.Compact(names)
	d := Decision{Green: len(names) > 0}
	if len(names) == 0 {
		d.Note = "no runs, and the policy names none: nothing was proved"
	}
	for _, n := range names {
		row := decideOne(n, byName[n], before[n], len(baseline) > 0, p)
		if u := lost[n]; u != nil {
			row.Green, row.Reason = false, u.Error()
		}
		d.Green = d.Green && row.Green
		d.Rows = append(d.Rows, row)
	}
	return d
}

// decideOne judges one scenario; compared tells that there is a baseline, of this or of other scenarios.
func decideOne(name string, runs, before []*reports.Report, compared bool, p Policy) Row {
	row := Row{Scenario: name, Runs: len(runs), Green: true, Reason: "passed"}
	if len(runs) == 0 {
		row.Green, row.Reason = false, "the policy asks for it and there is no run"
		return row
	}
	for _, r := range runs {
		row.Verdicts = append(row.Verdicts, r.Verdict)
		switch {
		case r.Skipped != "":
			row.Skipped = true
			row.Reason = "skipped: " + r.Skipped
			row.Green = row.Green && p.AllowSkips
		case !p.allows(name, r.Verdict):
			if row.Green || r.Verdict == reports.Worst(row.Verdicts...) {
				row.Reason = fmt.Sprintf("%s: %s", r.Verdict, r.Cause)
			}
			row.Green = false
		}
	}
	if change := compare(runs, before, p.Regression); change != nil && compared {
		row.Change = change
		if change.Red {
			row.Green = false
			row.Reason = change.Text
		}
	}
	return row
}

func group(list []*reports.Report) map[string][]*reports.Report {
	by := map[string][]*reports.Report{}
	for _, r := range list {
		by[r.Scenario] = append(by[r.Scenario], r)
	}
	return by
}

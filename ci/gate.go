package ci

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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
	Runs     int               `json:"runs"`             // copies of a run count once
	Copies   int               `json:"copies,omitempty"` // that were left out
	Verdicts []reports.Verdict `json:"verdicts"`
	Green    bool              `json:"green"`
	Skipped  bool              `json:"skipped,omitempty"`
	// green although a run did not pass: the policy allows its verdict
	Allowed  bool     `json:"allowed,omitempty"`
	Reason   string   `json:"reason"` // one line: why it is red, or what holds
	Warnings []string `json:"warnings,omitempty"`
	Change   *Change  `json:"change,omitempty"`
	Seconds  float64  `json:"seconds"` // that the runs took

	verdict reports.Verdict // what the scenario comes to, for the badge; "" for one without runs
}

// Exit is the command's exit code: 0 green; 5 where a run is red because the harness broke; 1 for everything else that
// is red.
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

// Decide judges the runs by the policy, as of now; baseline may be empty, then nothing is compared. Runs that could not
// be read are red. The reports are taken for what they say: [reports.Judged] reads such as are borne out by their
// histories.
func Decide(now time.Time, runs []*reports.Report, baseline []Release, p Policy,
	unread ...*reports.UnreadError,
) Decision {
	byName, lost := group(runs), map[string][]error{}
	for _, u := range unread {
		name := u.Scenario
		if name == "" {
			name = u.Run
		}
		lost[name] = append(lost[name], u.Err)
	}
	names := slices.Concat(p.Scenarios, slices.Collect(maps.Keys(byName)), slices.Collect(maps.Keys(lost)))
	slices.Sort(names)
	names = slices.Compact(names)
	d := Decision{Green: len(names) > 0}
	if len(names) == 0 {
		d.Note = "no runs, and the policy names none: nothing was proved"
	}
	for _, n := range names {
		row := p.decideOne(now, n, byName[n], baseline, lost[n])
		d.Green = d.Green && row.Green
		d.Rows = append(d.Rows, row)
	}
	return d
}

// decideOne judges one scenario.
func (p Policy) decideOne(now time.Time, name string, runs []*reports.Report, baseline []Release, lost []error) Row {
	row := Row{Scenario: name, Verdicts: []reports.Verdict{}}
	all := len(runs)
	runs = distinct(runs)
	row.Runs, row.Copies = len(runs), all-len(runs)
	var red []string
	// what the red comes to: the gravest verdict, or FAIL where it is not a run's verdict that is red
	broken := reports.Verdict("")
	for _, err := range lost {
		red = append(red, err.Error())
		broken = reports.Fail
	}
	if len(runs) == 0 && len(lost) == 0 {
		red = append(red, "the policy asks for it and there is no run")
	}
	// The gravest first: what is told is its reason.
	slices.SortStableFunc(runs, func(a, b *reports.Report) int { return gravity(a) - gravity(b) })
	var holds []string
	for _, r := range runs {
		row.Verdicts = append(row.Verdicts, r.Verdict)
		row.Seconds += r.DurationS
		switch {
		case r.Skipped != "":
			row.Skipped = true
			holds = append(holds, "skipped: "+r.Skipped)
			if !p.AllowSkips {
				red = append(red, "skipped: "+r.Skipped)
				broken = reports.Worst(broken, reports.Inconclusive)
			}
		case r.Verdict == reports.Pass:
			holds = append(holds, "passed")
		case p.allows(name, r.Verdict):
			row.Allowed = true
			holds = append(holds, fmt.Sprintf("%s, which the policy allows: %s", r.Verdict, r.Cause))
		default:
			red = append(red, fmt.Sprintf("%s: %s", r.Verdict, r.Cause))
			broken = reports.Worst(broken, r.Verdict)
		}
		if why := p.stale(now, r); why != "" {
			red = append(red, why)
			broken = reports.Worst(broken, reports.Fail)
		}
	}
	if row.Copies > 0 {
		row.Warnings = append(row.Warnings,
			fmt.Sprintf("%d of its runs are copies of others, which count once", row.Copies))
	}
	if row.Change = compare(runs, baseline, p.Regression); len(runs) > 0 {
		if why, v := row.compared(p.Regression); why != "" {
			red = append(red, why)
			broken = reports.Worst(broken, v)
		}
	}
	row.Green, row.Reason = len(red) == 0, summary(holds)
	row.verdict = broken
	switch {
	case len(red) > 0:
		row.Reason = summary(red)
	case slices.Contains(row.Verdicts, reports.Pass):
		row.verdict = reports.Pass
	default:
		row.verdict = reports.Worst(row.Verdicts...)
	}
	return row
}

// compared says why the comparison is red and what that comes to, "" if it is not; what it could not have seen is a
// warning.
func (r *Row) compared(limits Regression) (why string, v reports.Verdict) {
	if r.Change == nil {
		if limits.Detect > 0 && !limits.Off {
			return "the policy asks for a comparison, and there is no baseline", reports.Inconclusive
		}
		return "", ""
	}
	switch blind := r.Change.blind(limits.Detect); {
	case r.Change.Red:
		return r.Change.Text, reports.Fail
	case blind != "" && limits.Detect > 0:
		return fmt.Sprintf("%s, and the policy asks for %g×; %s", blind, limits.Detect, r.Change.Text),
			reports.Inconclusive
	case blind != "":
		r.Warnings = append(r.Warnings, blind)
	}
	return "", ""
}

// summary is the first of several reasons, and how many there are.
func summary(list []string) string {
	if len(list) == 0 {
		return ""
	}
	same := 0
	for _, s := range list {
		if s == list[0] {
			same++
		}
	}
	switch more := len(list) - same; {
	case same == len(list):
		return list[0]
	case same == 1:
		return fmt.Sprintf("%s (and %d more)", list[0], more)
	default:
		return fmt.Sprintf("%s (%d times, and %d more)", list[0], same, more)
	}
}

// gravity orders runs, the worst first.
func gravity(r *reports.Report) int {
	order := []reports.Verdict{reports.Error, reports.Fail, reports.Aborted, reports.Inconclusive, reports.Pass}
	if i := slices.Index(order, r.Verdict); i >= 0 {
		return i
	}
	return -1
}

// stale says why a run is not one of now, "" if it is.
func (p Policy) stale(now time.Time, r *reports.Report) string {
	const ahead = time.Hour // that a host's clock may be
	limit := p.MaxAge
	if limit == 0 {
		limit = 24 * time.Hour
	}
	switch age := now.Sub(r.Started); {
	case r.Started.IsZero():
		return "it does not say when it was run"
	case age > limit:
		return fmt.Sprintf("it was run on %s, longer ago than %s: max_age in the policy allows more",
			r.Started.UTC().Format(time.DateTime), short(limit))
	case age < -ahead:
		return fmt.Sprintf("it says that it was run on %s, which is yet to come", r.Started.UTC().Format(time.DateTime))
	}
	return ""
}

// short is a duration without the zeros at its end.
func short(d time.Duration) string {
	text := d.String()
	for _, unit := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, unit) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// distinct is the runs without copies; of those the gravest stays.
func distinct(runs []*reports.Report) (list []*reports.Report) {
	for _, r := range runs {
		i := slices.IndexFunc(list, r.SameRun)
		switch {
		case i < 0:
			list = append(list, r)
		case gravity(r) < gravity(list[i]):
			list[i] = r
		}
	}
	return list
}

func group(list []*reports.Report) map[string][]*reports.Report {
	by := map[string][]*reports.Report{}
	for _, r := range list {
		by[r.Scenario] = append(by[r.Scenario], r)
	}
	return by
}

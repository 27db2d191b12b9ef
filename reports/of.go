package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// Of is the report of what was judged: its lists are the ledger's, cut visibly, and its figures are drawn from that.
func Of(l *ledger.Ledger, result check.Result) *Report {
	h := l.Header
	t := h.Target
	t.Kind, t.Name, t.Version = ledger.Clip(t.Kind, maxName), ledger.Clip(t.Name, maxName),
		ledger.Clip(t.Version, maxName)
	result.Ledger = l
	result.Cause, result.Findings = ledger.Clip(result.Cause, maxText), slices.Clone(result.Findings)
	for i := range result.Findings {
		result.Findings[i].Text = ledger.Clip(result.Findings[i].Text, maxText)
	}
	r := &Report{source: ledger.Clip(h.Source, 64<<10), Result: result, Facts: Facts{
		SchemaVersion: SchemaVersion, Run: ledger.Clip(h.Run, maxName), Test: ledger.Clip(h.Test, maxName),
		Scenario: ledger.Clip(h.Scenario, maxName), Description: ledger.Clip(h.Description, 2*maxText), Seed: h.Seed,
		Command: ledger.Clip(h.Command, 2*maxText), Started: h.Started, DurationS: l.Now.Seconds(), Target: t,
		Floors: h.Floors, Experiment: ledger.Clip(h.Experiment, maxName),
		Environment: clipMap(h.Environment, 100), Capabilities: clipMap(h.Capabilities, 100),
		Faults: []Injection{}, Exits: []Exit{},
	}}
	list := l.Injections.List
	for _, i := range list[:min(len(list), maxLedger)] {
		r.Faults = append(r.Faults, injectionOf(i))
	}
	r.fillExits(l)
	if left := len(list) - len(r.Faults) + len(l.Lives.Ends) - len(r.Exits); left > 0 {
		r.Truncated = fmt.Sprintf("the first %s of each ledger are shown; %s lines are left out",
			whole(maxLedger), whole(float64(left)))
	}
	r.story = r.storyOf()
	return r
}

func injectionOf(i *ledger.Injection) Injection {
	in := Injection{
		N: i.N, Nemesis: i.Nemesis, Fault: ledger.Clip(i.Text, maxName), DueS: i.Due.Seconds(), Outcome: i.Outcome,
		Fatal: i.Fatal, Receipt: clipReceipt(i.Receipt), HealedS: i.Healed.Seconds(), Err: ledger.Clip(i.Err, maxText),
		HealFail: ledger.Clip(i.HealErr, maxText), lines: i.Lines,
	}
	if i.Victim != nil {
		v := *i.Victim
		v.Name, v.Phase = ledger.Clip(v.Name, maxName), ledger.Clip(v.Phase, maxName)
		in.Victim = &v
	}
	at := i.Settled
	if i.Receipt != nil {
		at = cmp.Or(i.Receipt.At, at)
	}
	in.AtS = at.Seconds()
	return in
}

// fillExits takes the members' ends, with what the judge found to have caused them.
func (r *Report) fillExits(l *ledger.Ledger) {
	causes, kept := l.Causes(), 0
	for _, one := range l.Lives.Ends[:min(len(l.Lives.Ends), maxLedger)] {
		x := Exit{
			AtS: one.To.Seconds(), Slot: one.Slot, Gen: one.Gen, PID: one.PID, Name: ledger.Clip(one.Name, maxName),
			Reason: ledger.Clip(one.Reason, maxName), Exit: history.Exit{Code: -1, Kind: unknown}, line: one.Line,
		}
		if one.Exit != nil {
			x.Exit = *one.Exit
			x.Signal, x.Kind, x.OOM = ledger.Clip(x.Signal, maxName), ledger.Clip(x.Kind, maxName),
				ledger.Clip(x.OOM, maxText)
			keep := min(maxStderr, max(0, allStderr-kept))
			if n := len(x.Stderr) - keep; n > 0 {
				x.Stderr = fmt.Sprintf("… %d bytes before this are in the history\n", n) +
					strings.ToValidUTF8(x.Stderr[n:], "")
			}
			kept += len(x.Stderr)
		}
		n := causes[one.Line]
		x.unexplained = n == ledger.Unexplained
		if n > 0 {
			x.Fault = n
			if i := l.Injections.ByN[n]; i != nil {
				x.complete(i.Receipt)
			}
		}
		r.Exits = append(r.Exits, x)
	}
}

// notes are the alarms and notes of the record, a line each.
func (r *Report) notes() (list []string) {
	for _, n := range r.Ledger.Log.Notes {
		list = append(list, seconds(n.At.Seconds())+"  "+n.Text)
	}
	if left := r.Ledger.Log.Left; left > 0 {
		list = append(list, whole(float64(left))+" more are in the history")
	}
	return list
}

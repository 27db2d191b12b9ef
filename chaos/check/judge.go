package check

import (
	"errors"
	"iter"
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// Judge reads a history once and says what it shows. It asks neither the clock nor the host: the same history gives the
// same result. An error among the events is a finding, and what was read before it still counts.
func Judge(h history.Header, events iter.Seq2[history.Event, error]) Result {
	s := newState(h)
	line := 1
	for e, err := range events {
		line++
		if err != nil {
			s.Broken, s.Line = err, line
			break
		}
		s.add(line, &e)
	}
	s.Finish()
	return s.result()
}

// verdict is what the findings come to while they are collected.
type verdict struct {
	s          *state
	complete   bool
	findings   []Finding
	moot       []Finding // expectations of faults of which none was confirmed
	thresholds []Threshold
}

func (v *verdict) find(of Verdict, code Code, line int, text string) {
	v.findOf(of, code, "", line, text)
}

func (v *verdict) findOf(of Verdict, code Code, metric string, line int, text string) {
	v.findings = append(v.findings, Finding{Verdict: of, Code: code, Metric: metric, Text: text, Event: line})
}

var precedence = []Verdict{Error, Fail, Aborted, Inconclusive}

func (s *state) result() Result {
	v := &verdict{s: s, complete: s.Complete()}
	v.harness()
	v.require()
	v.promises()
	v.group("expect")
	v.steady()
	v.abort()
	v.findings = append(v.findings, v.moot...)
	v.record()
	slices.SortStableFunc(v.findings, func(a, b Finding) int {
		return slices.Index(precedence, a.Verdict) - slices.Index(precedence, b.Verdict)
	})
	v.hostOOM()
	r := Result{
		Verdict: Pass, Findings: v.findings, Thresholds: v.thresholds, Metrics: s.metrics(false),
		Recoveries: s.Slots.Recover.Finite(2000), Ledger: s.Ledger,
	}
	if r.Findings == nil {
		r.Findings, r.Cause = []Finding{}, s.praise()
	} else {
		r.Verdict, r.Cause = r.Findings[0].Verdict, r.Findings[0].Text
	}
	return r
}

// metrics is every metric that has data.
func (s *state) metrics(live bool) map[string]float64 {
	all := make(map[string]float64, len(registry))
	for i := range registry {
		if r := s.read(registry[i].Name, live); r.Samples > 0 {
			all[registry[i].Name] = r.Value
		}
	}
	return all
}

// harness finds what broke in the harness itself.
func (v *verdict) harness() {
	for _, a := range v.s.Alarms {
		if a.Kind == history.AlarmError {
			v.find(Error, HarnessFailed, a.Line, "the harness failed: "+a.Text)
		}
	}
	for _, a := range v.s.Alarms {
		if a.Kind == history.AlarmGone { // before all that came of it
			v.find(Fail, Gone, a.Line, a.Text)
		}
	}
	for _, i := range v.s.Injections.Unhealed {
		v.find(Error, NotHealed, i.Line, "injection "+i.String()+" could not be undone: "+i.Err)
	}
}

// record finds what the record itself lacks.
func (v *verdict) record() {
	s := v.s
	for _, a := range s.Alarms {
		switch a.Kind {
		case history.AlarmInterrupt:
			v.find(Aborted, Interrupted, a.Line, "the run was interrupted: "+a.Text)
		case history.AlarmTimeout:
			v.find(Inconclusive, TimedOut, a.Line, "the run did not come to its end in time: "+a.Text)
		case history.AlarmAbort, history.AlarmError, history.AlarmGone:
		}
	}
	var at *history.LineError
	switch {
	case errors.As(s.Broken, &at):
		v.find(Inconclusive, Incomplete, at.Line, s.Broken.Error())
	case s.Broken != nil:
		v.find(Inconclusive, Incomplete, s.Line, "the history could not be read to its end: "+s.Broken.Error())
	case s.End == nil:
		v.find(Inconclusive, Incomplete, s.Line, "the history has no end: the harness did not live to write it")
	case s.End.Aborted && len(s.Alarms) == 0:
		v.find(Aborted, EndedEarly, s.Line, "the run was ended early")
	}
	if s.Dropped > 0 {
		v.find(Inconclusive, Incomplete, 0,
			number(int(s.Dropped), "event", "events")+" of the run "+wereLost(int(s.Dropped)))
	}
	if !v.complete {
		return
	}
	v.gaps()
	if n := s.Tasks.Sums.Unwitnessed; n > 0 && s.Can("witness") && s.Evidence.Torn > 0 {
		text, line := s.sayUnwitnessed(n)
		v.find(Inconclusive, TornWitness, line,
			text+"; "+number(s.Evidence.Torn, "line", "lines")+" of the witness "+isAre(s.Evidence.Torn)+" torn")
	}
	if n := s.Evidence.Unseen; n > 0 {
		first := s.Evidence.FirstUnseen
		v.find(Inconclusive, Unlisted, first.Line, number(n, "execution", "executions")+" "+wasWere(n)+
			" by processes that lived between two listings of the members, if they were any; "+theFirst(n)+"of "+
			first.String())
	}
	switch expects := func(r history.Rule) bool { return r.Group == "expect" }; {
	case len(s.Header.Nemesis) > 0:
	case !s.hasLoad():
		v.find(Inconclusive, NothingAsked, 1, "the scenario has neither faults nor a load: the run proves nothing")
	case !slices.ContainsFunc(s.Header.Rules, expects):
		v.find(Inconclusive, NothingAsked, 1,
			"the scenario has neither faults nor expectations: the run proves nothing")
	}
	v.thinLoad()
}

// gaps finds what no whole record lacks or has: its stages in their order, a look at the target when the faults are
// over, one outcome for each injection. A target that the harness does not close is not looked at again in the stage
// stop.
func (v *verdict) gaps() {
	s := v.s
	for stage, entered := range s.Entered {
		if !entered && stage >= int(ledger.Verify) ||
			!entered && stage == int(ledger.Chaos) && len(s.Header.Nemesis) > 0 {
			v.find(Inconclusive, Incomplete, 0, "the record has no stage "+string(ledger.Stages[stage]))
		}
	}
	switch {
	case s.Looks.N == 0:
		v.find(Inconclusive, Incomplete, 0, "nobody looked at the target from outside: the history has no sample")
	case s.Looks.Verified == nil && s.Entered[ledger.Verify]:
		v.find(Inconclusive, Incomplete, 0,
			"nobody looked at the target from outside when the faults were over: the stage verify has no sample")
	}
	if s.Strange.Line > 0 {
		v.find(Inconclusive, Incomplete, s.Strange.Line, "the record is not one of a run: "+s.Strange.Err)
	}
}

// thinLoad finds that there was less than half of the load that the scenario states.
func (v *verdict) thinLoad() {
	r := v.s.Achieved()
	if r.Samples == 0 || r.Value >= 0.5 || v.stated("load.achieved") {
		return
	}
	text := "too little load to judge by: " + percent(r.Value) + " of what the scenario states"
	if n := v.s.Load.Refused; n > 0 {
		text += ", for " + v.s.ofTasks(n) + " " + wasWere(n) + " rejected"
	}
	if s := v.s; len(s.Host.Starved) > 0 && s.CalmAchieved().Samples == 0 {
		v.excuse(ThinLoad, "load.achieved", 0, text)
	} else {
		v.findOf(Inconclusive, ThinLoad, "load.achieved", 0, text)
	}
}

// stated tells whether the scenario has its own rule about the metric. What is required for a run to prove something
// takes no promise's place.
func (v *verdict) stated(metric string) bool {
	return slices.ContainsFunc(v.s.Header.Rules, func(r history.Rule) bool {
		return r.Metric == metric && (r.Group == "expect" || r.Group == "require" && metric == "load.achieved")
	})
}

// hostOOM puts in front that the host ran out of memory, when deaths that nobody caused may come from that.
func (v *verdict) hostOOM() {
	killed, dead := v.s.HostOOM(), v.s.ExitsThat(v.s.Unexplained)
	if killed.Value <= 0 || dead.Value <= 0 || len(v.findings) > 0 && v.findings[0].Verdict == Error {
		return
	}
	v.findings = slices.Insert(v.findings, 0, Finding{
		Verdict: Inconclusive, Code: HostOOM, Metric: "host.oom",
		Text: "the host ran out of memory: the kernel killed " + number(int(killed.Value), "process", "processes") +
			" beside the victims, and " + number(int(dead.Value), "member", "members") + " died that nobody aimed at",
		Event: v.s.Looks.LastLine,
	})
}

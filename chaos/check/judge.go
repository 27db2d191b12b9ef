package check

import (
	"errors"
	"iter"
	"slices"

	"github.com/respawn-go/respawn/chaos/history"
)

// Judge reads a history once and says what it shows. It asks neither the clock nor the host: the same history gives the
// same result. An error among the events is a finding, and what was read before it still counts.
func Judge(h history.Header, events iter.Seq2[history.Event, error]) Result {
	s := newState(h)
	line := 1
	for e, err := range events {
		line++
		if err != nil {
			s.broken, s.line = err, line
			break
		}
		s.add(line, &e)
	}
	s.finish()
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
	v := &verdict{s: s, complete: s.complete()}
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
	r := Result{Verdict: Pass, Findings: v.findings, Thresholds: v.thresholds, Metrics: s.metrics(false), Recoveries: s.slots.recover.finite(2000), Causes: s.causes()}
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
		if r := s.read(registry[i].Name, live); r.samples > 0 {
			all[registry[i].Name] = r.value
		}
	}
	return all
}

// harness finds what broke in the harness itself.
func (v *verdict) harness() {
	for _, a := range v.s.alarms {
		if a.Kind == history.AlarmError {
			v.find(Error, HarnessFailed, a.line, "the harness failed: "+a.Text)
		}
	}
	for _, a := range v.s.alarms {
		if a.Kind == history.AlarmGone { // before all that came of it
			v.find(Fail, Gone, a.line, a.Text)
		}
	}
	for _, i := range v.s.faults.unhealed {
		v.find(Error, NotHealed, i.line, "injection "+i.String()+" could not be undone: "+i.err)
	}
}

// record finds what the record itself lacks.
func (v *verdict) record() {
	s := v.s
	for _, a := range s.alarms {
		switch a.Kind {
		case history.AlarmInterrupt:
			v.find(Aborted, Interrupted, a.line, "the run was interrupted: "+a.Text)
		case history.AlarmTimeout:
			v.find(Inconclusive, TimedOut, a.line, "the run did not come to its end in time: "+a.Text)
		case history.AlarmAbort, history.AlarmError, history.AlarmGone:
		}
	}
	var at *history.LineError
	switch {
	case errors.As(s.broken, &at):
		v.find(Inconclusive, Incomplete, at.Line, s.broken.Error())
	case s.broken != nil:
		v.find(Inconclusive, Incomplete, s.line, "the history could not be read to its end: "+s.broken.Error())
	case s.end == nil:
		v.find(Inconclusive, Incomplete, s.line, "the history has no end: the harness did not live to write it")
	case s.end.Aborted && len(s.alarms) == 0:
		v.find(Aborted, EndedEarly, s.line, "the run was ended early")
	}
	if s.dropped > 0 {
		v.find(Inconclusive, Incomplete, 0, number(int(s.dropped), "event", "events")+" of the run "+wereLost(int(s.dropped)))
	}
	if !v.complete {
		return
	}
	v.gaps()
	if n := s.account.sums.unwitnessed; n > 0 && s.can("witness") && s.evidence.torn > 0 {
		text, line := s.sayUnwitnessed(n)
		v.find(Inconclusive, TornWitness, line, text+"; "+number(s.evidence.torn, "line", "lines")+" of the witness "+isAre(s.evidence.torn)+" torn")
	}
	if n := s.evidence.unseen; n > 0 {
		first := s.evidence.firstUnseen
		v.find(Inconclusive, Unlisted, first.line, number(n, "execution", "executions")+" "+wasWere(n)+
			" by processes that lived between two listings of the members, if they were any; "+theFirst(n)+"of "+first.String())
	}
	switch expects := func(r history.Rule) bool { return r.Group == "expect" }; {
	case len(s.h.Nemesis) > 0:
	case !s.hasLoad():
		v.find(Inconclusive, NothingAsked, 1, "the scenario has neither faults nor a load: the run proves nothing")
	case !slices.ContainsFunc(s.h.Rules, expects):
		v.find(Inconclusive, NothingAsked, 1, "the scenario has neither faults nor expectations: the run proves nothing")
	}
	v.thinLoad()
}

// gaps finds what no whole record lacks or has: its stages in their order, a look at the target when the faults are over, one
// outcome for each injection. A target that the harness does not close is not looked at again in the stage stop.
func (v *verdict) gaps() {
	s := v.s
	for stage, entered := range s.entered {
		if !entered && stage >= int(verify) || !entered && stage == int(chaos) && len(s.h.Nemesis) > 0 {
			v.find(Inconclusive, Incomplete, 0, "the record has no stage "+string(stages[stage]))
		}
	}
	switch {
	case s.looks.n == 0:
		v.find(Inconclusive, Incomplete, 0, "nobody looked at the target from outside: the history has no sample")
	case s.looks.verified == nil && s.entered[verify]:
		v.find(Inconclusive, Incomplete, 0, "nobody looked at the target from outside when the faults were over: the stage verify has no sample")
	}
	if s.strange.line > 0 {
		v.find(Inconclusive, Incomplete, s.strange.line, "the record is not one of a run: "+s.strange.err)
	}
}

// thinLoad finds that there was less than half of the load that the scenario states.
func (v *verdict) thinLoad() {
	r := v.s.achieved()
	if r.samples == 0 || r.value >= 0.5 || v.stated("load.achieved") {
		return
	}
	text := "too little load to judge by: " + percent(r.value) + " of what the scenario states"
	if n := v.s.load.refused; n > 0 {
		text += ", for " + v.s.ofTasks(n) + " " + wasWere(n) + " rejected"
	}
	if s := v.s; len(s.host.starved) > 0 && s.calmAchieved().samples == 0 {
		v.excuse(ThinLoad, "load.achieved", 0, text)
	} else {
		v.findOf(Inconclusive, ThinLoad, "load.achieved", 0, text)
	}
}

// stated tells whether the scenario has its own rule about the metric.
func (v *verdict) stated(metric string) bool {
	return slices.ContainsFunc(v.s.h.Rules, func(r history.Rule) bool {
		return r.Metric == metric && (r.Group == "expect" || r.Group == "require" && metric != "faults.confirmed")
	})
}

// hostOOM puts in front that the host ran out of memory, when deaths that nobody caused may come from that.
func (v *verdict) hostOOM() {
	killed, dead := v.s.hostOOM(), v.s.exitsThat(v.s.unexplained)
	if killed.value <= 0 || dead.value <= 0 || len(v.findings) > 0 && v.findings[0].Verdict == Error {
		return
	}
	v.findings = slices.Insert(v.findings, 0, Finding{
		Verdict: Inconclusive, Code: HostOOM, Metric: "host.oom",
		Text: "the host ran out of memory: the kernel killed " + number(int(killed.value), "process", "processes") +
			" beside the victims, and " + number(int(dead.value), "member", "members") + " died that nobody aimed at",
		Event: v.s.looks.lastLine,
	})
}

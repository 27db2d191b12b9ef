package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// promises judges what every scenario requires.
func (v *verdict) promises() {
	for _, p := range promises {
		if v.stated(p.metric) || p.applies != nil && !p.applies(v.s) {
			continue
		}
		breach := Fail
		if p.proven != nil && !p.proven(v.s) {
			breach = Inconclusive
		}
		v.judge(history.Rule{Group: "promise", Text: p.metric + " == 0", Metric: p.metric, Op: "=="}, breach)
	}
	v.judgeSettleTime()
}

// group judges the rules of expect, or those of require beside the number of confirmed injections.
func (v *verdict) group(name string) {
	for _, r := range v.s.Header.Rules {
		if r.Group == name {
			v.judge(r, v.breachOf(r))
		}
	}
}

// breachOf is what the breach of such a rule comes to. Where no fault was confirmed although there were to be some, or
// none met a task that was to be killed at its work, what is expected of their effect proves nothing; what every
// scenario promises holds all the same.
func (v *verdict) breachOf(r history.Rule) Verdict {
	struck := len(v.s.Header.Nemesis) == 0 || v.s.Injections.Outcomes[history.Confirmed] > 0 && !v.s.BetweenTasks()
	promised := slices.Contains(Promises(), r.Metric)
	if r.Group == "expect" && (struck || promised) {
		return Fail
	}
	return Inconclusive
}

// judge evaluates a rule over the whole run. Of a run that was cut short, only what cannot be mended any more counts.
func (v *verdict) judge(r history.Rule, breach Verdict) {
	t := v.s.evaluate(r, false)
	if r.For > 0 {
		t = v.held(r, t)
	}
	if few, ok := v.s.few(r.Metric); ok && r.Than == "" && t.NoData {
		t.Actual, t.Samples, t.Margin = few.now(), few.N(), margin(few.now(), t.Op, t.Limit)
		t.NoData = !few.hopeless(t.Op, t.Limit) // else it does not depend on those that are missing
	}
	m, _ := Lookup(r.Metric)
	lasting := m.Lasting || v.s.TimedOut() && r.Metric == "tasks.hung" // they were given time
	beyondMending := !t.NoData && lasting && r.Than == "" && r.For == 0 && bounds(r.Op) && t.above()
	switch {
	case v.complete && t.NoData:
		v.findOf(Inconclusive, NoData, r.Metric, 0, r.Text+" cannot be judged: "+v.s.missing(r))
	case v.complete && !t.OK, beyondMending:
		text, line := v.s.breach(t)
		if (breach == Fail || r.Group == "promise") && v.s.starvedOut(r, t) || v.s.StarvedShort() && v.needsFaults(r) {
			t.Starved = true
			v.excuse(Broken, r.Metric, line, text)
		} else if r.Group == "expect" && breach == Inconclusive {
			v.moot = append(v.moot, Finding{Verdict: breach, Code: Broken, Metric: r.Metric, Text: text, Event: line})
		} else {
			v.findOf(breach, Broken, r.Metric, line, text)
		}
	case !v.complete:
		t.OK, t.NoData, t.NotJudged = false, true, true
	}
	v.thresholds = append(v.thresholds, t)
}

// bounds tells whether the comparison bounds the metric from above.
func bounds(op string) bool { return op == "==" || op == "<" || op == "<=" }

// above tells whether the figure is above its limit, or as high where it must be below.
func (t Threshold) above() bool { return t.Actual > t.Limit || t.Op == "<" && t.Actual == t.Limit }

// held is the threshold of an expectation with "for", which the samples have watched.
func (v *verdict) held(r history.Rule, t Threshold) Threshold {
	for _, w := range v.s.watch.expect {
		if w.rule == r && w.last.Metric != "" {
			return w.last
		}
	}
	t.OK, t.NoData = false, true
	return t
}

// steady judges the steady state on either side of the faults.
func (v *verdict) steady() {
	w := &v.s.watch
	for side, when := range []string{"before", "after"} {
		if !w.looked[side] {
			for _, r := range w.steady {
				t := v.s.evaluate(r.rule, true)
				t.When, t.OK, t.NoData, t.NotJudged, t.Samples = when, false, true, !v.complete, 0
				v.thresholds = append(v.thresholds, t)
			}
			if len(w.steady) > 0 && v.complete {
				v.findOf(Inconclusive, NoData, w.steady[0].rule.Metric, 0,
					"nobody looked whether the target was steady "+when+" the faults")
			}
			continue
		}
		if lapse := v.s.lapsed(); side == 1 && lapse != nil {
			w.shown[side] = lapse.then
		}
		v.thresholds = append(v.thresholds, w.shown[side]...)
		if w.reached[side] && side == 1 && v.complete {
			v.steadyAgain()
		}
		if w.reached[side] || !v.complete {
			continue
		}
		metric, wrong := notOK(w.shown[side])
		if side == 0 {
			v.findOf(Inconclusive, NotSteady, metric, v.s.Looks.LastLine,
				"the target was not steady before the first fault: "+wrong)
		} else {
			v.notSteady(NotSteadyAgain, metric, v.s.Looks.LastLine, v.s.Now,
				"the target did not get back to its steady state: "+wrong)
		}
	}
}

// steadyAgain judges when the target was steady again, and that it was so from then on.
func (v *verdict) steadyAgain() {
	after := func(at time.Duration) string { return Seconds.Show((at - v.s.Began[ledger.Settle]).Seconds()) }
	if first := v.s.steadiness.first; v.s.steadiness.late {
		v.notSteady(NotSteadyAgain, "settle.time", v.s.Looks.LastLine, first,
			"the target was in its steady state again only "+after(first)+" after the faults, and settle is "+
				Seconds.Show(v.s.Header.Settle.Seconds()))
	}
	if l := v.s.lapsed(); l != nil {
		metric, wrong := notOK(l.then)
		v.notSteady(Relapsed, metric, l.line, l.at,
			"the target was in its steady state again "+after(v.s.steadiness.first)+" after the faults, and after "+
				after(l.at)+" not any more: "+wrong)
	}
}

// notSteady blames the target for that, unless the host was starved for most of the time from the end of the faults up
// to then.
func (v *verdict) notSteady(code Code, metric string, line int, by time.Duration, text string) {
	if from := v.s.Began[ledger.Settle]; 2*v.s.Host.Within(from, by) > by-from {
		v.excuse(code, metric, line, text)
	} else {
		v.findOf(Fail, code, metric, line, text)
	}
}

// notOK lists those that do not hold, and is the metric of the first.
func notOK(list []Threshold) (metric, text string) {
	wrong := []string{}
	for _, t := range list {
		if !t.OK {
			metric = cmp.Or(metric, t.Metric)
			wrong = append(wrong, t.short())
		}
	}
	return metric, strings.Join(wrong, ", ")
}

// abort judges the conditions that end a run: as the samples show, and as the harness said. One that had no data all
// the while guarded nothing.
func (v *verdict) abort() {
	w := &v.s.watch
	for _, c := range w.abort {
		t := c.known
		if t.Metric == "" {
			t = v.s.evaluate(c.rule, true)
			t.NoData, t.OK, t.Actual, t.Margin = true, false, 0, 0
			switch {
			case !v.complete:
			case c.last.Metric == "":
				v.findOf(Inconclusive, NoData, t.Metric, v.s.Line,
					"the abort condition "+t.Text+" was never looked at: no sample was taken in chaos or settle")
			default:
				v.findOf(Inconclusive, NoData, t.Metric, v.s.Line,
					"the abort condition "+t.Text+" had no data in chaos or settle: "+v.s.missing(c.rule))
			}
		}
		t.OK, t.Margin = !t.OK && !t.NoData, -t.Margin // here the limit is what must not be reached
		t.NotJudged = t.NoData && !v.complete
		if w.tripped != nil && t.Text == w.tripped.Text {
			t = w.tripped.Threshold
			t.Margin = -t.Margin
		}
		v.thresholds = append(v.thresholds, t)
	}
	if t := w.tripped; t != nil {
		v.tripped(t.Metric, t.line, "the abort condition "+t.Text+" held: "+t.short())
		return
	}
	for _, a := range v.s.Alarms { // the harness saw what the record does not show
		if a.Kind == history.AlarmAbort {
			r, _ := ParseRule(a.Rule)
			v.tripped(r.Metric, a.Line, "the abort condition "+a.Rule+" held")
		}
	}
}

// tripped blames the target for an abort condition, unless the metric is the host's or the harness's.
func (v *verdict) tripped(metric string, line int, text string) {
	if m, _ := Lookup(metric); !m.Aside {
		v.findOf(Fail, Tripped, metric, line, text)
	} else if len(v.s.Alarms) > 0 {
		v.findOf(Aborted, Tripped, metric, line, text)
	}
}

// require judges whether enough happened for the run to prove something: by default, of each entry of the chaos list as
// many confirmed injections as it requires, at least one.
func (v *verdict) require() {
	explicit := map[int]bool{}
	for _, r := range v.s.Header.Rules {
		if r.Group == "require" && r.Metric == "faults.confirmed" {
			explicit[r.Nemesis] = true
		}
	}
	for i, n := range v.s.Header.Nemesis {
		if explicit[i] {
			continue
		}
		r := history.Rule{
			Group: "require", Metric: "faults.confirmed", Op: ">=", Limit: float64(max(1, n.Require)), Nemesis: i,
		}
		r.Text = fmt.Sprintf("faults.confirmed >= %d", max(1, n.Require))
		v.judge(r, Inconclusive)
	}
	v.group("require")
	if v.complete && v.s.BetweenTasks() {
		v.find(Inconclusive, BetweenTasks, 0, "members were to be killed at work, and each kill fell between two tasks")
	}
}

// wanted is the threshold's text without its metric.
func (t Threshold) wanted() string {
	written := t.Text // by whoever made the rule, in the language of rules
	_, want, _ := strings.Cut(written, t.Metric+" ")
	return want
}

// short is the threshold in a few words: pool.ready is 3, not == 4.
func (t Threshold) short() string {
	m, _ := Lookup(t.Metric)
	if t.NoData {
		return t.Metric + " is not known"
	}
	text := t.Metric + " is " + m.Unit.Show(t.Actual)
	if t.Group == "abort" {
		return text
	}
	want := t.wanted()
	text += ", not " + want
	if !strings.Contains(want, m.Unit.Format(t.Limit)) { // it depends on the host or on another metric
		text += " (" + m.Unit.Show(t.Limit) + ")"
	}
	return text
}

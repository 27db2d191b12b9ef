package check

import (
	"math"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// watch looks at the rules that are about a moment, each time a sample is taken.
type watch struct {
	steady, abort, expect []watched
	// reached tells that all steady conditions held at once: before the faults, and in settle or verify.
	reached [2]bool
	looked  [2]bool
	shown   [2][]Threshold // the steady conditions when they held, or as they were last
	tripped *trip
}

// watched is a rule and since when it has held without a break.
type watched struct {
	rule  history.Rule
	holds bool
	since time.Duration
	last  Threshold
	known Threshold // the last one with data; zero before there is one
}

// trip is an abort condition that held.
type trip struct {
	Threshold
	line int
}

func (w *watch) init(rules []history.Rule) {
	for _, r := range rules {
		switch r.Group {
		case "steady":
			w.steady = append(w.steady, watched{rule: r})
		case "abort":
			w.abort = append(w.abort, watched{rule: r})
		case "expect":
			w.expect = append(w.expect, watched{rule: r})
		}
	}
}

// evaluateAll is called after each sample.
func (s *state) evaluateAll() {
	w := &s.watch
	for i := range w.expect {
		if w.expect[i].rule.For > 0 {
			w.expect[i].holdsNow(s)
		}
	}
	if s.Stage == ledger.Chaos || s.Stage == ledger.Settle {
		for i := range w.abort {
			if w.abort[i].holdsNow(s) && w.tripped == nil {
				t := w.abort[i].last
				t.OK = false
				w.tripped = &trip{t, s.Line}
			}
		}
	}
	if side := sideOf(s.Stage); side >= 0 && len(w.steady) > 0 {
		s.evaluateSteady(side)
	}
}

// sideOf is 0 before the faults, 1 after them, -1 where nobody asks for the steady state. The stage steady may be too
// short for a sample: then those of the warm-up tell.
func sideOf(st ledger.Stage) int {
	switch st {
	case ledger.Warmup, ledger.Steady:
		return 0
	case ledger.Settle, ledger.Verify:
		return 1
	}
	return -1
}

func (s *state) evaluateSteady(side int) {
	w := &s.watch
	all := true
	shown := make([]Threshold, len(w.steady))
	for i := range w.steady {
		all = w.steady[i].holdsNow(s) && all
		shown[i] = w.steady[i].last
		shown[i].When = [...]string{"before", "after"}[side]
	}
	w.looked[side] = true
	if side == 1 {
		s.settledAgain(all, shown)
	}
	if s.Stage == ledger.Warmup { // not sticky: it is the last such sample that counts
		w.reached[side] = false
	}
	if !w.reached[side] {
		w.shown[side] = shown
	}
	w.reached[side] = w.reached[side] || all
}

// holdsNow evaluates the rule at this moment.
func (w *watched) holdsNow(s *state) bool {
	w.last = s.evaluate(w.rule, true)
	abort := w.rule.Group == "abort"
	if calm, ok := s.calmly(w.rule, w.last); ok && abort {
		w.last.OK = w.last.OK && calm.OK
	}
	switch {
	case !w.last.OK:
		w.holds = false
	case !w.holds:
		w.holds, w.since = true, s.Now
	}
	held := s.Now - w.since
	if abort {
		held -= s.Host.Within(w.since, s.Now) // a starved host ends no run
	}
	w.last.OK = w.holds && held >= w.rule.For
	if !w.last.NoData {
		w.known = w.last
	}
	return w.last.OK
}

// evaluate compares the rule's metric with its limit, without regard to how long it has been so.
func (s *state) evaluate(r history.Rule, live bool) Threshold {
	t := Threshold{Group: r.Group, Text: r.Text, Metric: r.Metric, Op: r.Op, Limit: r.Limit, Of: population(r.Metric)}
	have := s.read(r.Metric, live)
	if r.Group == "require" && r.Metric == "faults.confirmed" {
		have = s.CountOf(s.Injections.Confirmed[r.Nemesis])
	}
	t.Actual, t.Samples = have.Value, have.Samples
	if r.Than != "" {
		than := s.read(r.Than, live)
		t.Limit, t.Samples = than.Value, min(have.Samples, than.Samples)
	}
	if t.Samples == 0 {
		t.NoData, t.Actual = true, 0
		return t
	}
	t.OK = compare(t.Actual, t.Op, t.Limit)
	t.Margin = margin(t.Actual, t.Op, t.Limit)
	return t
}

// margin is how far the actual value is on the good side of the limit; negative on the bad one.
func margin(actual float64, op string, limit float64) float64 {
	switch {
	case actual == limit:
		return 0
	case op == "<" || op == "<=":
		return limit - actual
	case op == ">" || op == ">=":
		return actual - limit
	case op == "!=":
		return math.Abs(actual - limit)
	}
	return -math.Abs(actual - limit)
}

// read is the value of a metric, now or over the whole run. A name that is not in the registry has no data.
func (s *state) read(metric string, live bool) ledger.Reading {
	i, ok := index[metric]
	if !ok {
		return ledger.Reading{}
	}
	m := &registry[i]
	if live && m.now != nil {
		return m.now(s)
	}
	if live && !m.Live {
		return ledger.Reading{}
	}
	return m.of(s)
}

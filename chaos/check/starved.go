package check

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// calmly is the threshold without the time for which the host was starved: without data where too little is left. ok is
// false where that makes no difference: the host was not starved, the figure is not about time, or what should have
// come never did.
func (s *state) calmly(r history.Rule, t Threshold) (calm Threshold, ok bool) {
	m, _ := Lookup(r.Metric)
	if m.calm == nil || len(s.Host.Starved) == 0 || t.NoData || math.IsInf(t.Actual, 0) {
		return t, false
	}
	value, limit := m.calm(s), ledger.Reading{Value: t.Limit, Samples: 1}
	if than, _ := Lookup(r.Than); than.calm != nil {
		limit = than.calm(s)
	}
	t.NoData = value.Samples == 0 || limit.Samples == 0
	t.Actual, t.Limit, t.Samples = value.Value, limit.Value, value.Samples
	t.OK = !t.NoData && compare(t.Actual, t.Op, t.Limit)
	return t, true
}

// starvedOut tells whether the broken rule is broken only for the time for which the host was starved.
func (s *state) starvedOut(r history.Rule, t Threshold) bool {
	calm, ok := s.calmly(r, t)
	return ok && (calm.OK || calm.NoData || r.For > 0 && s.Host.Within(s.Now-r.For, s.Now) > 0)
}

// needsFaults tells whether the rule is about the faults or what they lead to, and no promise.
func (v *verdict) needsFaults(r history.Rule) bool {
	return r.Metric == "faults.confirmed" || r.Group == "expect" && !slices.Contains(Promises(), r.Metric)
}

// excuse finds that something was broken of which the host's want of CPU time is as good a cause as the target.
func (v *verdict) excuse(code Code, metric string, line int, text string) {
	v.findings = append(v.findings,
		Finding{Inconclusive, code, metric, text + "; but " + tooBusy(&v.s.Host), line, true})
}

// tooBusy says that, and how, the host was starved.
func tooBusy(h *ledger.Host) string {
	w := &h.Worst
	share := func(part, of float64) string { return percent(part / max(of, 1e-9)) }
	how := []string{}
	if w.Others+w.Stolen > w.All/10 {
		how = append(how, "others took "+share((w.Others+w.Stolen).Seconds(), w.All.Seconds())+" of its CPU time")
	}
	if w.Throttled > 0 {
		how = append(how, fmt.Sprintf("a limit of %s CPUs stopped the run in %s of the periods",
			formatNumber(w.Limit), share(float64(w.Throttled), float64(w.Periods))))
	}
	if w.Told > 0 {
		how = append(how, "somebody waited for a CPU "+share(w.Pressure.Seconds(), w.Told.Seconds())+" of the time")
	}
	how = append(how, "a sleep ended up to "+Seconds.Show(w.Latest.Seconds())+" late")
	return "the host was starved for " + Seconds.Show(h.UpTo(ledger.Endless).Seconds()) + ": " + strings.Join(how, ", ")
}

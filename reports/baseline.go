package reports

import (
	"fmt"
	"math"
	"slices"
)

// Comparable chooses the runs of a baseline that a run is compared with: those of the same scenario that passed, and of
// these the ones of the same experiment on the same target if there are enough. why says what was left out, or that the
// experiment or the target changed, or why there is nothing to compare with; "" is for a comparison of like with like.
func (r *Report) Comparable(baseline []*Report, enough int) (list []*Report, why string) {
	var named int
	var passed, same []*Report
	for _, b := range baseline {
		if b.Scenario != r.Scenario {
			continue
		}
		named++
		if b.Verdict != Pass {
			continue
		}
		passed = append(passed, b)
		if b.Kin() == r.Kin() {
			same = append(same, b)
		}
	}
	switch {
	case named == 0:
		return nil, "the baseline has no run of this scenario"
	case len(passed) == 0:
		return nil, "no run of the baseline passed"
	case len(same) == 0 || len(same) < enough && len(same) < len(passed):
		return passed, Changed
	case len(same) < named:
		why = fmt.Sprintf("%d of the baseline's %s left out: not passed, or of another experiment",
			named-len(same), plural(named, "run"))
	}
	return same, why
}

// Kin is the same for runs that asked for the same of the same target.
func (r *Report) Kin() [3]string { return [3]string{r.Experiment, r.Target.Kind, r.Target.Name} }

// Changed is what Comparable says of runs that are compared although they asked for something else.
const Changed = "the scenario or its target changed since the baseline: if that was meant, make a new one"

// Against is the comparison with a baseline in one line, "" without one.
func (r *Report) Against(baseline []*Report) string {
	if len(baseline) == 0 || r.Skipped != "" {
		return ""
	}
	list, why := r.Comparable(baseline, 1)
	if len(list) == 0 {
		return "baseline: not compared: " + why
	}
	if why != "" {
		why = "; " + why
	}
	metric, name := r.typicalRecovery(), "median"
	if metric == "slot.recovery.max" {
		name = "longest"
	}
	now, ok := r.Metrics[metric]
	low, mid, high := spread(list, metric)
	if !ok || math.IsNaN(mid) {
		return "baseline: not compared: one side has no slot recovery" + why
	}
	text := fmt.Sprintf("baseline: slot recovery, %s, is %s, was %s (%s to %s over %s)",
		name, seconds(now), seconds(mid), seconds(low), seconds(high), plural(len(list), "run"))
	return text + why + "; respawn gate decides over several runs"
}

// spread is the lowest, the middle and the highest of a metric over the runs that have it; NaN when none has.
func spread(list []*Report, metric string) (low, mid, high float64) {
	var values []float64
	for _, b := range list {
		if v, ok := b.Metrics[metric]; ok && !math.IsInf(v, 0) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	slices.Sort(values)
	return values[0], values[len(values)/2], values[len(values)-1]
}

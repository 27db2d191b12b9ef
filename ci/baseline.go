package ci

import (
	"fmt"
	"math"

	"golang.org/x/perf/benchmath"

	"github.com/respawn-go/respawn/reports"
)

// Change compares the runs of one scenario with those of the baseline: the median slot recovery of each run, divided by the
// time from fork to the first byte of a bare process on that host in that run. The rest of the metrics move too much from one
// machine or hour to the next to decide anything.
type Change struct {
	Before   float64 `json:"before"` // median over the baseline's runs
	After    float64 `json:"after"`
	Ratio    float64 `json:"ratio"`
	P        float64 `json:"p"` // Mann-Whitney: the probability that chance alone separates the two sides so
	RunsBack int     `json:"baseline_runs"`
	Runs     int     `json:"runs"`
	Red      bool    `json:"red"`
	Text     string  `json:"text"`
}

const (
	recoveryMetric = "slot.recovery.p50"
	floorName      = "spawn"
)

// compare returns nil when comparison is off. What cannot be compared is told, and is not red: a new scenario has no baseline,
// and one with a single kill no median. Runs of several experiments are compared each with their own kind; what is told is the
// comparison that is red, or else the worst.
func compare(runs, before []*reports.Report, r Regression) (worst *Change) {
	if r.Off || len(runs) == 0 {
		return nil
	}
	kinds := byKin(runs)
	for _, alike := range kinds {
		if c := compareAlike(alike, before, r.withDefaults()); worst == nil || c.worse(worst) {
			worst = c
		}
	}
	if len(kinds) > 1 {
		worst.Text += fmt.Sprintf("; these runs are of %d experiments, each compared by itself", len(kinds))
	}
	return worst
}

// worse tells whether c is to be told rather than other.
func (c *Change) worse(other *Change) bool {
	switch {
	case c.Red != other.Red:
		return c.Red
	case (c.P < 1) != (other.P < 1): // one was not judged
		return c.P < 1
	}
	return c.Ratio > other.Ratio
}

// byKin is the runs by experiment and target, in the order of their first.
func byKin(runs []*reports.Report) (list [][]*reports.Report) {
	at := make(map[[3]string]int)
	for _, r := range runs {
		i, ok := at[r.Kin()]
		if !ok {
			i = len(list)
			at[r.Kin()], list = i, append(list, nil)
		}
		list[i] = append(list[i], r)
	}
	return list
}

// compareAlike compares runs of one experiment.
func compareAlike(runs, before []*reports.Report, r Regression) *Change {
	list, why := runs[0].Comparable(before, r.Runs)
	if len(list) == 0 {
		return &Change{Runs: len(runs), P: 1, Text: "not compared: " + why}
	}
	if why != "" {
		why = "; " + why
	}
	a, b := relative(list), relative(runs)
	if len(a) == 0 || len(b) == 0 {
		return &Change{RunsBack: len(a), Runs: len(b), P: 1, Text: fmt.Sprintf("not compared: %d runs of the baseline and %d of these have a median slot recovery%s", len(a), len(b), why)}
	}
	c := &Change{RunsBack: len(a), Runs: len(b), P: 1}
	old, now := benchmath.NewSample(a, &benchmath.DefaultThresholds), benchmath.NewSample(b, &benchmath.DefaultThresholds)
	c.Before, c.After = benchmath.AssumeNothing.Summary(old, 0.95).Center, benchmath.AssumeNothing.Summary(now, 0.95).Center
	c.Ratio = c.After / c.Before
	figures := fmt.Sprintf("slot recovery is %.2f× the baseline's (%.1f → %.1f spawn floors", c.Ratio, c.Before, c.After)
	if len(a) < r.Runs || len(b) < r.Runs {
		c.Text = fmt.Sprintf("%s; %d and %d runs, too few to judge: at least %d a side)%s", figures, len(a), len(b), r.Runs, why)
		return c
	}
	c.P = benchmath.AssumeNothing.Compare(old, now).P
	c.Red = c.Ratio >= r.Ratio && c.P < r.P
	c.Text = fmt.Sprintf("%s, p=%.4f, %d and %d runs)%s", figures, c.P, len(a), len(b), why)
	return c
}

// relative is each run's median recovery in spawn floors, for the runs that have both.
func relative(list []*reports.Report) (values []float64) {
	for _, r := range list {
		recovery, ok := r.Metrics[recoveryMetric]
		floor := r.Floors[floorName]
		if ok && floor > 0 && recovery > 0 && !math.IsInf(recovery, 0) && r.Skipped == "" {
			values = append(values, recovery/floor)
		}
	}
	return values
}

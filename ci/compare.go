package ci

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/respawn-go/respawn/reports"
)

// Release is runs of a baseline that were made together, such as those of one version.
type Release struct {
	Name string
	Runs []*reports.Report
}

// Change compares how long slots took to recover in the runs of one scenario with how long they took in a release of
// the baseline, by every single death. Recovery is judged twice, as it was and in spawn floors (the time from fork to
// the first byte of a bare process, measured in each run), and a change counts as far as both show it: a host that was
// slower this time slows what depends on it, and leaves alone what does not.
type Change struct {
	Release string  `json:"release,omitempty"` // of the baseline, if it has several
	Before  float64 `json:"before"`            // the median recovery of the median run, in spawn floors
	After   float64 `json:"after"`
	Ratio   float64 `json:"ratio"` // of the medians, the lower of the two ways to look at it
	Tail    float64 `json:"tail"`  // the same of each run's slowest tenth
	Far     int     `json:"far"`   // deaths whose recovery is far beyond all that the baseline leads to expect
	// the smallest slowdown of the median that nine in ten such comparisons find; 0: none at all
	Detects  float64 `json:"detects"`
	Deaths   int     `json:"deaths"` // of these runs
	RunsBack int     `json:"baseline_runs"`
	Runs     int     `json:"runs"`
	Judged   bool    `json:"judged"` // there was enough to compare
	Red      bool    `json:"red"`
	Text     string  `json:"text"`
}

// compare returns nil when comparison is off. What cannot be compared is told, and is not red: a new scenario has no
// baseline. Runs of several experiments are compared each with their own kind, and with each release of the baseline: a
// slowdown that stays below the limit from one release to the next is seen against the first. What is told is the
// comparison that is red, or else the one with the latest release.
func compare(runs []*reports.Report, baseline []Release, r Regression) *Change {
	if r.Off || len(runs) == 0 || len(baseline) == 0 {
		return nil
	}
	r = r.withDefaults()
	var worst *Change
	kinds := byKin(runs)
	for _, alike := range kinds {
		releases, other := without(baseline, alike)
		releases = pooled(releases, alike[0], r.Runs)
		for _, release := range releases {
			c := compareAlike(alike, release, r, r.P/float64(len(releases)*len(kinds)))
			if other > 0 {
				c.Text += fmt.Sprintf("; %d of the baseline's runs are these very runs, and left out", other)
			}
			if worst == nil || c.worse(worst) {
				worst = c
			}
		}
	}
	if len(kinds) > 1 {
		worst.Text += fmt.Sprintf("; these runs are of %d experiments, each compared by itself", len(kinds))
	}
	return worst
}

// worse tells whether c is to be told rather than other, which is of an earlier release.
func (c *Change) worse(other *Change) bool {
	if c.Red != other.Red {
		return c.Red
	}
	if c.Judged != other.Judged {
		return c.Judged
	}
	return !c.Red || c.Ratio > other.Ratio
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

// without is the baseline without copies, and without those runs themselves: how many of them it had.
func without(baseline []Release, runs []*reports.Report) (rest []Release, same int) {
	var seen []*reports.Report
	for _, release := range baseline {
		left := Release{Name: release.Name}
		for _, b := range release.Runs {
			switch is := func(r *reports.Report) bool { return r.SameRun(b) }; {
			case slices.ContainsFunc(runs, is):
				same++
			case !slices.ContainsFunc(seen, is):
				seen = append(seen, b)
				left.Runs = append(left.Runs, b)
			}
		}
		rest = append(rest, left)
	}
	return rest, same
}

// pooled is the releases in the order of time. Those that have too few runs of the scenario to be judged by are one
// together.
func pooled(releases []Release, like *reports.Report, enough int) (list []Release) {
	var few Release
	for _, r := range releases {
		if own, _ := like.Comparable(r.Runs, enough); len(own) >= enough {
			list = append(list, r)
		} else {
			few.Runs = append(few.Runs, r.Runs...)
		}
	}
	slices.SortStableFunc(list, func(a, b Release) int { return last(a).Compare(last(b)) })
	if own, _ := like.Comparable(few.Runs, enough); len(own) >= enough || len(list) == 0 {
		list = append([]Release{few}, list...)
	}
	return list
}

// last is when the last run of a release was.
func last(r Release) (at time.Time) {
	for _, b := range r.Runs {
		if b.Started.After(at) {
			at = b.Started
		}
	}
	return at
}

// compareAlike compares runs of one experiment with one release. p is the probability of a red where nothing has
// changed.
func compareAlike(runs []*reports.Report, release Release, r Regression, p float64) *Change {
	c := &Change{Release: release.Name}
	list, why := runs[0].Comparable(release.Runs, r.Runs)
	if len(list) == 0 {
		c.Runs, c.Text = len(runs), "not compared: "+why
		return c
	}
	if why != "" {
		why = "; " + why
	}
	a, b := observe(list), observe(runs)
	c.RunsBack, c.Runs, c.Deaths = len(a), len(b), deaths(b)
	if len(a) == 0 || len(b) == 0 {
		c.Text = fmt.Sprintf("not compared: %d runs of the baseline and %d of these have a slot that recovered%s",
			len(a), len(b), why)
		return c
	}
	c.Before, c.After = middle(a, inFloors), middle(b, inFloors)
	c.Ratio = math.Exp(min(shift(a.of(asItWas, runMedian), b.of(asItWas, runMedian)),
		shift(a.of(inFloors, runMedian), b.of(inFloors, runMedian))))
	against := "the baseline's"
	if release.Name != "" {
		against = release.Name + "'s"
	}
	figures := fmt.Sprintf("slot recovery is %.2f× %s (%.1f → %.1f spawn floors; %d and %d deaths, %d and %d runs",
		c.Ratio, against,
		c.Before, c.After, deaths(a), deaths(b), len(a), len(b))
	if len(a) < r.Runs || len(b) < r.Runs {
		c.Text = fmt.Sprintf("%s, too few to judge: at least %d a side)%s", figures, r.Runs, why)
		return c
	}
	c.Judged = true
	text := c.judge(a, b, r, p)
	c.Text = figures + ")" + text + why
	return c
}

// The parts of p that the three looks have: at the median, at the slowest tenth, at what is far out.
const (
	medianPart = 0.6
	tailPart   = 0.1
	farPart    = 0.3
)

// judge decides, and says what it is red for.
func (c *Change) judge(a, b observed, r Regression, p float64) (text string) {
	center := look(a, b, runMedian, r.Ratio, p*medianPart)
	slow := look(a, b, runTail, r.Ratio, p*tailPart)
	c.Tail = math.Exp(slow.least)
	hours := shift(a.of(floors, runMedian), b.of(floors, runMedian)) // by how much the host was slower this time
	if found := math.Exp(center.needs + math.Abs(hours)); !math.IsInf(found, 0) && !math.IsNaN(found) {
		c.Detects = found
	}
	far := beyond(a, b, p*farPart)
	c.Far = far.hits
	if slow.red && !center.red {
		text += fmt.Sprintf("; the slowest tenth of each run takes %.2f× as long", c.Tail)
	}
	if far.hits > 0 && !center.red {
		text += fmt.Sprintf("; %d of the %d deaths took more than %.1f× the baseline's median, %d of %d before",
			far.hits, c.Deaths, far.limit, far.before, deaths(a))
	}
	if math.Abs(hours) > math.Log(1.2) {
		text += fmt.Sprintf("; the host took %.2f× as long to spawn as then", math.Exp(hours))
	}
	c.Red = center.red || slow.red || far.red
	if !c.Red && c.Detects > 0 {
		text = fmt.Sprintf("; a slowdown of %.1f× would have been seen", c.Detects) + text
	}
	return text
}

// blind says that the runs could not have shown a slowdown that is worth to be known, "" if they could. asked is the
// slowdown that the policy asks them to find, 0 if it does not.
func (c *Change) blind(asked float64) string {
	switch limit := cmp.Or(asked, 2.5); {
	case !c.Judged || c.Detects == 0:
		return "these runs could not have seen any slowdown"
	case c.Detects > limit:
		return fmt.Sprintf("these runs could not have seen a slowdown of less than %.1f×", c.Detects)
	}
	return ""
}

package ci_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
)

func TestCopiesOfARunCountOnce(t *testing.T) {
	g := NewWithT(t)
	one := run("a", reports.Pass, 4)
	copies := []*reports.Report{one}
	for range 5 {
		c := *one
		copies = append(copies, &c)
	}
	d := decide(copies, recovering(6, "", 2), ci.Policy{})
	g.Expect(d.Rows[0].Runs).To(Equal(1))
	g.Expect(d.Rows[0].Copies).To(Equal(5))
	g.Expect(d.Rows[0].Change.Text).To(ContainSubstring("6 and 1 runs, too few to judge"))

	failed := *one
	failed.Verdict = reports.Fail
	g.Expect(decide(append(copies, &failed), nil, ci.Policy{}).Green).To(BeFalse(),
		"of copies that differ the gravest counts")

	d = decide(recovering(6, "", 4), copies, ci.Policy{})
	g.Expect(d.Rows[0].Change.Text).To(ContainSubstring("1 and 6 runs, too few to judge"),
		"so do those of the baseline")
}

func TestRunsAreNotComparedWithThemselves(t *testing.T) {
	g := NewWithT(t)
	runs := recovering(6, "", 2)
	d := decide(runs, runs, ci.Policy{})
	g.Expect(d.Rows[0].Change.Judged).To(BeFalse())
	g.Expect(d.Rows[0].Change.Text).To(ContainSubstring("6 of the baseline's runs are these very runs"))
}

func TestARunOfLongAgoIsRed(t *testing.T) {
	g := NewWithT(t)
	aged := func(ago time.Duration, p ci.Policy) ci.Decision {
		r := run("a", reports.Pass, 2)
		r.Started = now.Add(-ago)
		return decide([]*reports.Report{r}, nil, p)
	}
	g.Expect(aged(23*time.Hour, ci.Policy{}).Green).To(BeTrue())
	g.Expect(aged(25*time.Hour, ci.Policy{MaxAge: 48 * time.Hour}).Green).To(BeTrue())
	g.Expect(aged(-time.Minute, ci.Policy{}).Green).To(BeTrue(), "clocks differ")
	for want, d := range map[string]ci.Decision{
		`longer ago than 24h: max_age`: aged(25*time.Hour, ci.Policy{}),
		`which is yet to come`:         aged(-2*time.Hour, ci.Policy{}),
		`does not say when`: decide([]*reports.Report{{Facts: reports.Facts{Scenario: "a"}}}, nil,
			ci.Policy{Allow: map[string][]reports.Verdict{"a": {""}}}),
		`longer ago than 1h30m: max_age`: aged(2*time.Hour, ci.Policy{MaxAge: 90 * time.Minute}),
	} {
		g.Expect(d.Green).To(BeFalse(), want)
		g.Expect(d.Rows[0].Reason).To(ContainSubstring(want))
	}
}

// What the policy allows has not passed, and no table says so.
func TestAnAllowedVerdictIsShownAsWhatItIs(t *testing.T) {
	g := NewWithT(t)
	p := ci.Policy{Allow: map[string][]reports.Verdict{"*": {reports.Inconclusive}}}
	d := decide([]*reports.Report{
		run("a", reports.Pass, 2), run("a", reports.Inconclusive, 2), run("b", reports.Pass, 2),
	}, nil, p)
	g.Expect(d.Green).To(BeTrue())
	g.Expect(d.Rows[0].Reason).To(HavePrefix("INCONCLUSIVE, which the policy allows: a cause"))
	g.Expect(d.Rows[1].Reason).To(Equal("passed"))
	g.Expect(printed(d)).To(MatchRegexp(`(?m)^yellow a .*INCONCLUSIVE, which the policy allows`))
	g.Expect(d.Markdown()).To(ContainSubstring("| yellow | a | 2 | INCONCLUSIVE, which the policy allows"))
	g.Expect(junit(g, d)).To(ContainSubstring(`<skipped message="INCONCLUSIVE, which the policy allows`))
}

// A policy that allows something to nobody is a mistake: what it was meant for is not allowed.
func TestAllowNamesOnlyWhatThereIs(t *testing.T) {
	g := NewWithT(t)
	p := policy(g, "scenarios: [mine]\nallow:\n  tutorail: [INCONCLUSIVE]\n  mine: [ABORTED]\n"+
		"  kill-busy: [INCONCLUSIVE]\n  \"*\": [INCONCLUSIVE]\n")
	g.Expect(p.Misnamed([]string{"tutorial", "kill-busy"})).
		To(MatchError(MatchRegexp(`policy.yaml:3:3: there is no scenario "tutorail": did you mean "tutorial"\?$`)))
	g.Expect(p.Misnamed([]string{"tutorail", "kill-busy"})).To(Succeed())
}

// Runs that could not have shown a slowdown say so, and are red if the policy asks for one to be found.
func TestTheGateSaysWhatItCouldNotHaveSeen(t *testing.T) {
	g := NewWithT(t)
	wide := func() (list []*reports.Report) {
		for _, v := range []float64{1, 2, 4, 8, 16, 32} {
			list = append(list, run("a", reports.Pass, v))
		}
		return list
	}
	const why = `these runs could not have seen a slowdown of less than \d+\.\d×`
	d := decide(wide(), wide(), ci.Policy{})
	g.Expect(d.Green).To(BeTrue())
	g.Expect(d.Rows[0].Warnings).To(ConsistOf(MatchRegexp(why)))
	g.Expect(printed(d)).To(MatchRegexp(`(?m)^yellow a .*passed\n.*` + why))
	asks := ci.Policy{Regression: ci.Regression{Detect: 2}}
	g.Expect(decide(wide(), wide(), asks).Rows[0].Reason).To(MatchRegexp(why + `, and the policy asks for 2×`))
	g.Expect(decide(recovering(6, "", 2), recovering(6, "", 2), asks).Green).To(BeTrue())
	for _, d := range []ci.Decision{
		decide(recovering(5, "", 2), recovering(6, "", 2), asks), decide(recovering(6, "", 2), nil, asks),
		decide(recovering(6, "", 2), []*reports.Report{run("b", reports.Pass, 2)}, asks),
	} {
		g.Expect(d.Green).To(BeFalse())
	}
	few := decide(recovering(5, "", 2), recovering(6, "", 2), ci.Policy{})
	g.Expect(few.Rows[0].Warnings).To(ConsistOf("these runs could not have seen any slowdown"))
}

// A slowdown that stays below the limit from one release to the next is red against an early one.
func TestASlowdownThatCreepsUpFromReleaseToReleaseIsRed(t *testing.T) {
	g := NewWithT(t)
	var baseline []ci.Release
	took := 2.0
	for i := range 4 {
		runs := recovering(6, "", took)
		for _, r := range runs {
			r.Started = now.Add(time.Duration(i-10) * 24 * time.Hour)
		}
		if i > 0 {
			last := baseline[len(baseline)-1]
			g.Expect(ci.Decide(now, recovering(6, "", took), []ci.Release{last}, ci.Policy{}).Green).To(BeTrue(), "%v",
				i)
		}
		if i == 2 {
			d := ci.Decide(now, recovering(6, "", took), baseline, ci.Policy{})
			g.Expect(d.Green).To(BeFalse())
			g.Expect(d.Rows[0].Reason).To(ContainSubstring("2.09× v0's"))
		}
		baseline = append(baseline, ci.Release{Name: fmt.Sprint("v", i), Runs: runs})
		took *= 1.45
	}
	slices.Reverse(baseline)
	d := ci.Decide(now, recovering(6, "", 2*1.45*1.45*1.45), baseline, ci.Policy{})
	g.Expect(d.Rows[0].Reason).To(ContainSubstring("3.0"), "whatever the order that they are given in")
	g.Expect(d.Rows[0].Change.Release).To(Equal("v0"))

	var single []ci.Release
	for i := range 6 {
		single = append(single, ci.Release{Name: fmt.Sprint("v", i), Runs: recovering(1, "", 2+float64(i)/100)})
	}
	d = ci.Decide(now, recovering(6, "", 4), single, ci.Policy{})
	g.Expect(d.Green).To(BeFalse(), "releases of one run each are compared with as one")
}

// One death a run is enough, with the runs' deaths taken together.
func TestScenariosWithOneDeathARunAreCompared(t *testing.T) {
	g := NewWithT(t)
	single := func(recovery float64) (list []*reports.Report) {
		for i := range 6 {
			r := run("a", reports.Pass, 1)
			r.Metrics = map[string]float64{"slot.recovery.max": recovery}
			r.Recoveries = []float64{0.006 * (recovery + float64(i)/100)}
			list = append(list, r)
		}
		return list
	}
	d := decide(single(4), single(2), ci.Policy{})
	g.Expect(d.Green).To(BeFalse())
	g.Expect(d.Rows[0].Reason).To(ContainSubstring("6 and 6 deaths, 6 and 6 runs"))
	none := single(2)
	for _, r := range none {
		r.Metrics, r.Recoveries = nil, nil
	}
	d = decide(none, single(2), ci.Policy{})
	g.Expect(d.Rows[0].Change.Text).
		To(Equal("not compared: 6 runs of the baseline and 0 of these have a slot that recovered"))
	g.Expect(d.Rows[0].Warnings).To(ConsistOf("these runs could not have seen any slowdown"))
}

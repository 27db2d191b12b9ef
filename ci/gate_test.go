package ci_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
)

// now is when the gate is asked.
var now = time.Now()

// decide compares with a baseline of one release, if there is any.
func decide(runs, baseline []*reports.Report, p ci.Policy) ci.Decision {
	var releases []ci.Release
	if len(baseline) > 0 {
		releases = []ci.Release{{Runs: baseline}}
	}
	return ci.Decide(now, runs, releases, p)
}

// run is a report with the given verdict and a median recovery of so many spawn floors.
func run(name string, v reports.Verdict, recovery float64) *reports.Report {
	return &reports.Report{
		Facts: reports.Facts{
			Run: rand.Text(), Scenario: name, Started: now, Floors: map[string]float64{"spawn": 0.006},
		}, Result: check.Result{
			Verdict: v, Cause: "a cause\n::error::injected",
			Metrics: map[string]float64{"slot.recovery.p50": recovery * 0.006},
		},
	}
}

func TestGateIsRedForWhateverDidNotPass(t *testing.T) {
	for name, c := range map[string]struct {
		runs   []*reports.Report
		policy ci.Policy
		green  bool
		exit   int
	}{
		"all passed": {
			[]*reports.Report{run("a", reports.Pass, 2), run("b", reports.Pass, 2)},
			ci.Policy{},
			true, 0,
		},
		"one failed": {[]*reports.Report{run("a", reports.Pass, 2), run("b", reports.Fail, 2)}, ci.Policy{}, false, 1},
		"one repetition failed": {
			[]*reports.Report{run("a", reports.Fail, 2), run("a", reports.Pass, 2)},
			ci.Policy{},
			false, 1,
		},
		"inconclusive": {[]*reports.Report{run("a", reports.Inconclusive, 2)}, ci.Policy{}, false, 1},
		"inconclusive, allowed": {
			[]*reports.Report{run("a", reports.Inconclusive, 2)},
			ci.Policy{Allow: map[string][]reports.Verdict{"a": {reports.Inconclusive}}},
			true, 0,
		},
		"the harness broke": {[]*reports.Report{run("a", reports.Error, 2)}, ci.Policy{}, false, 5},
		"missing": {
			[]*reports.Report{run("a", reports.Pass, 2)},
			ci.Policy{Scenarios: []string{"b"}},
			false, 1,
		},
		"nothing at all": {nil, ci.Policy{}, false, 1},
		"skipped": {[]*reports.Report{{
			Facts:  reports.Facts{Scenario: "a", Started: now, Skipped: "no memory cgroup"},
			Result: check.Result{Verdict: reports.Inconclusive},
		}}, ci.Policy{}, false, 1},
		"skipped, allowed": {[]*reports.Report{{
			Facts:  reports.Facts{Scenario: "a", Started: now, Skipped: "no memory cgroup"},
			Result: check.Result{Verdict: reports.Inconclusive},
		}}, ci.Policy{AllowSkips: true}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			d := decide(c.runs, nil, c.policy)
			g.Expect(d.Green).To(Equal(c.green))
			g.Expect(d.Exit()).To(Equal(c.exit))
		})
	}
}

func TestGateSeesTwiceTheRecoveryAndNeverNoise(t *testing.T) {
	g := NewWithT(t)
	seed := uint64(1)
	t.Logf("seed %d", seed)
	rng := mathrand.New(mathrand.NewPCG(seed, 0))
	sample := func(scale float64) (list []*reports.Report) {
		for range 6 {
			list = append(list, run("a", reports.Pass, 2*scale*(0.9+0.2*rng.Float64())))
		}
		return list
	}
	for range 20 {
		g.Expect(decide(sample(2), sample(1), ci.Policy{}).Green).To(BeFalse())
		g.Expect(decide(sample(1), sample(1), ci.Policy{}).Green).To(BeTrue())
		g.Expect(decide(sample(0.5), sample(1), ci.Policy{}).Green).To(BeTrue(), "faster is not a regression")
	}
	few := sample(2)[:5]
	d := decide(few, sample(1), ci.Policy{})
	g.Expect(d.Green).To(BeTrue())
	g.Expect(d.Rows[0].Change.Text).To(ContainSubstring("too few"))
}

// A baseline counts as far as it passed. What is of another experiment, or on another target, gives way to what is of
// the same, and is compared with a word of warning if there is no other: to change a scenario is no way around the
// gate.
func TestGateComparesLikeWithLikeWhereItCan(t *testing.T) {
	g := NewWithT(t)
	six := func(change func(*reports.Report)) (list []*reports.Report) {
		for range 6 {
			r := run("a", reports.Pass, 2)
			r.Experiment = "one"
			change(r)
			list = append(list, r)
		}
		return list
	}
	slow := six(func(r *reports.Report) { r.Metrics["slot.recovery.p50"] *= 10 })
	same := six(func(*reports.Report) {})
	other := six(func(r *reports.Report) { r.Experiment = "another" })
	failed := six(func(r *reports.Report) { r.Verdict = reports.Fail })
	stranger := six(func(r *reports.Report) { r.Target.Name = "another" })
	for want, before := range map[string][]*reports.Report{
		"not compared: no run of the baseline passed":            failed,
		"not compared: the baseline has no run of this scenario": {run("b", reports.Pass, 2)},
	} {
		d := decide(slow, before, ci.Policy{})
		g.Expect(d.Green).To(BeTrue(), want)
		g.Expect(d.Rows[0].Change.Text).To(Equal(want))
	}
	mixed := append(slices.Clone(same), other[0], failed[0])
	for _, c := range []struct {
		before []*reports.Report
		want   string
	}{
		{same, `and 6 runs\)$`},
		{other, `; the scenario or its target changed since the baseline: `},
		{stranger, `; the scenario or its target changed since the baseline: `},
		{mixed, `; 2 of the baseline's 8 runs left out: not passed, or of another experiment$`},
	} {
		d := decide(slow, c.before, ci.Policy{})
		g.Expect(d.Green).To(BeFalse(), c.want)
		g.Expect(d.Rows[0].Reason).To(MatchRegexp(c.want))
	}
	g.Expect(decide(same, other, ci.Policy{}).Green).To(BeTrue())
}

// recovering are so many runs of an experiment, with about that median recovery.
func recovering(n int, experiment string, recovery float64) (list []*reports.Report) {
	for i := range n {
		r := run("a", reports.Pass, recovery+float64(i)/100)
		r.Experiment = experiment
		list = append(list, r)
	}
	return list
}

func TestOneLikeRunInTheBaselineDoesNotSilenceTheGate(t *testing.T) {
	g := NewWithT(t)
	d := decide(recovering(6, "new", 4), append(recovering(1, "new", 2), recovering(6, "old", 2)...), ci.Policy{})
	g.Expect(d.Green).To(BeFalse())
	g.Expect(d.Rows[0].Reason).To(ContainSubstring("7 and 6 runs)"))
}

// Each kind of run is compared with its own.
func TestGateComparesRunsOfSeveralExperimentsEachWithItsOwn(t *testing.T) {
	g := NewWithT(t)
	d := decide(slices.Concat(recovering(1, "e", 2), recovering(9, "f", 4)),
		slices.Concat(recovering(6, "e", 2), recovering(6, "f", 4)), ci.Policy{})
	g.Expect(d.Green).To(BeTrue(), "nothing changed")
	d = decide(slices.Concat(recovering(1, "g", 2), recovering(9, "f", 4)),
		slices.Concat(recovering(6, "f", 2), recovering(6, "h", 4)), ci.Policy{})
	g.Expect(d.Green).To(BeFalse(), "f takes twice as long")
	g.Expect(d.Rows[0].Reason).To(HaveSuffix("; these runs are of 2 experiments, each compared by itself"))
}

func TestABaselineWithoutATimeIsNotCompared(t *testing.T) {
	g := NewWithT(t)
	before := recovering(6, "e", 0)
	for _, r := range before {
		r.Metrics["slot.recovery.p50"] = 0
	}
	d := decide(recovering(6, "e", 2), before, ci.Policy{})
	g.Expect(d.Green).To(BeTrue())
	g.Expect(d.Rows[0].Change.Text).To(HavePrefix("not compared: 0 runs of the baseline"))
	_, err := json.Marshal(d)
	g.Expect(err).NotTo(HaveOccurred())
}

func TestWorkerTextNeverStartsALine(t *testing.T) {
	g := NewWithT(t)
	summary := filepath.Join(t.TempDir(), "summary.md")
	t.Setenv("GITHUB_ACTIONS", "true")
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	d := decide([]*reports.Report{run("a", reports.Fail, 2)}, nil, ci.Policy{})
	var out bytes.Buffer
	d.Print(&out, 1000)
	g.Expect(out.String()).NotTo(MatchRegexp(`(?m)^::`))
	out.Reset()
	g.Expect(d.Annotate(&out)).To(Succeed())
	g.Expect(out.String()).To(Equal("::error title=respawn a::FAIL: a cause%0A::error::injected\n"))
	text, err := os.ReadFile(summary)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(text)).To(ContainSubstring("| red | a | 1 |"))
	g.Expect(string(text)).NotTo(MatchRegexp(`(?m)^::`))
}

func TestADecisionFitsATerminal(t *testing.T) {
	g := NewWithT(t)
	d := decide([]*reports.Report{
		run("a", reports.Fail, 2), run("b", reports.Inconclusive, 2), run("c", reports.Pass, 2),
	}, recovering(6, "e", 2), ci.Policy{
		Scenarios: []string{"kill-storm"}, Allow: map[string][]reports.Verdict{"b": {reports.Inconclusive}},
	})
	var out bytes.Buffer
	d.Print(&out, 80)
	for line := range strings.Lines(out.String()) {
		g.Expect(len([]rune(strings.TrimSuffix(line, "\n")))).To(BeNumerically("<=", 80), line)
	}
	g.Expect(strings.Fields(out.String())).To(ConsistOf(strings.Fields(printed(d))), "no word is broken or lost")
}

func printed(d ci.Decision) string {
	var out bytes.Buffer
	d.Print(&out, 1000)
	return out.String()
}

func junit(g *WithT, d ci.Decision) string {
	var out bytes.Buffer
	g.Expect(d.JUnit(&out)).To(Succeed())
	return out.String()
}

// policy is the policy that the text is.
func policy(g *WithT, text string) ci.Policy {
	dir, err := os.MkdirTemp("", "policy-")
	g.Expect(err).NotTo(HaveOccurred())
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "policy.yaml")
	g.Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	p, err := ci.ReadPolicy(path)
	g.Expect(err).NotTo(HaveOccurred())
	return p
}

func TestPolicyFileIsReadStrictly(t *testing.T) {
	g := NewWithT(t)
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "policy.yaml")
		g.Expect(os.WriteFile(path, []byte(text), 0o644)).To(Succeed())
		return path
	}
	p, err := ci.ReadPolicy(
		write("scenarios: [a, b]\nallow_skips: true\nallow: {a: [INCONCLUSIVE]}\nregression: {ratio: 2}\n"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p.Scenarios).To(Equal([]string{"a", "b"}))
	for text, want := range map[string][]string{
		"scenario: [a]\n": {`:1:1: unknown key "scenario": did you mean "scenarios"?`},
		"allow: {a: [MAYBE]}\n": {
			`:1:13: "MAYBE" is no verdict to allow: want ERROR, FAIL, ABORTED or INCONCLUSIVE`,
		},
		"allow: {a: FAIL}\n":             {`:1:12: want a list of verdicts, such as [INCONCLUSIVE]`},
		"regression: {ratio: 0.5}":       {`:1:21: want a ratio > 1`},
		"regression: {ratio: .nan}":      {`:1:21: want a ratio > 1`},
		"regression: {ratio: .inf}":      {`:1:21: want a ratio > 1`},
		"regression: {p: .nan}":          {`:1:17: want 0 < p < 1`},
		"regression: {detect: 1}":        {`:1:22: want a ratio > 1`},
		"max_age: 7d":                    {`:1:10: want a duration from 1s, such as 36h`},
		"max_age: 0":                     {`:1:10: want a duration from 1s, such as 36h`},
		"allow: {a: []}":                 {`:1:12: want a list of verdicts, such as [INCONCLUSIVE]`},
		"regression: {ratio: 010}":       {`:1:21: want a number above 1`},
		"regression: {runs: 08}":         {`:1:20: want a whole number from 2`},
		"regression: {p: 2, runs: many}": {`:1:17: want 0 < p < 1`, `:1:26: want a whole number from 2`},
		"allow_skips: [a, b, c]":         {`:1:14: want true or false`},
		"allow_skips: perhaps\nscenarios: [a, b, a]\nallow: {}\nallow: {}\n": {
			`:1:14: want true or false`, `:2:19: "a" is here twice`, `:4:1: "allow" is here twice`,
		},
		"":                {`: the file is empty: want for example scenarios: [random-kill]`},
		"# nothing\n":     {`: the file is empty: want for example scenarios: [random-kill]`},
		"[a]":             {`:1:1: want keys and values`},
		"scenarios: word": {`:1:12: want a list of scenarios' names`},
	} {
		path := write(text)
		_, err := ci.ReadPolicy(path)
		g.Expect(err).To(HaveOccurred(), text)
		g.Expect(strings.Split(strings.ReplaceAll(err.Error(), path, ""), "\n")).To(Equal(want), text)
	}
	_, err = ci.ReadPolicy(write("scenarios: ["))
	g.Expect(err).To(MatchError(MatchRegexp(`policy.yaml:2:1: not YAML: `)))
	_, err = ci.ReadPolicy("missing.yaml")
	g.Expect(err).To(HaveOccurred())

	readme, err := os.ReadFile("../README.md")
	g.Expect(err).NotTo(HaveOccurred())
	_, shown, _ := strings.Cut(string(readme), "```yaml\nscenarios: ")
	shown, _, _ = strings.Cut("scenarios: "+shown, "```")
	p, err = ci.ReadPolicy(write(shown))
	g.Expect(err).NotTo(HaveOccurred(), shown)
	g.Expect(p.Scenarios).To(HaveLen(3))
}

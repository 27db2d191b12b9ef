package scenarios_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/naive"
	"github.com/respawn-go/respawn/reports"
)

// caughtBy says which scenario of the library finds each bug of the naive pool, and in which words it says so. It is the
// proof that the checks work: a check that finds nothing proves nothing.
var caughtBy = map[naive.Bug]struct{ scenario, cause string }{
	naive.NoRespawn:     {"tutorial", "does not answer"},
	naive.DropsInFlight: {"kill-busy", "no outcome"},
	naive.RunsTwice:     {"random-kill", "more often"},
	naive.WrongValue:    {"random-kill", "wrong"},
	naive.LiesAboutSize: {"tutorial", "/proc shows 3 alive"},
	naive.DeadAfterKill: {"kill-each-idle", "answer"},
	naive.Collateral:    {"rolling-kill", "nobody"},
	naive.Orphans:       {"tutorial", "no member"},
	naive.Zombies:       {"tutorial", "zombie"},
	naive.SlowRecovery:  {"tutorial", "slot.recovery.max"},
	naive.RerunsDone:    {"random-kill", "more often"},
	naive.BlamesOthers:  {"random-kill", "lost"},
}

// onNaive are the settings that run a scenario on the naive pool with those bugs.
func onNaive(bugs ...naive.Bug) []string {
	words := make([]string, len(bugs))
	for i, b := range bugs {
		words[i] = string(b)
	}
	return []string{
		fmt.Sprintf("target={naive: {size: 4, bugs: [%s]}}", strings.Join(words, ", ")), "settle=" + settle(bugs), "steady=[pool.ready == 4]",
		"expect=[slot.recovery.max <= 2500ms]",
	}
}

// settle is how long the pool may take to recover: a bug that is slow must be seen to recover, late.
func settle(bugs []naive.Bug) string {
	if slices.Contains(bugs, naive.SlowRecovery) {
		return "6s"
	}
	return "2500ms"
}

func TestEveryBugOfTheNaivePoolFailsTheScenarioThatGuardsAgainstIt(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
	t.Parallel()
	runs := runAhead(naive.Bugs(), func(bug naive.Bug) (*reports.Report, string, error) {
		return runApart(t.Context(), caughtBy[bug].scenario, onNaive(bug)...)
	})
	for _, bug := range naive.Bugs() {
		t.Run(string(bug), func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(caughtBy).To(HaveKey(bug), "no scenario guards against it")
			o := runs[bug]
			<-o.done
			g.Expect(o.err).NotTo(HaveOccurred())
			onAStarvedHost(t, o.report)
			g.Expect(string(o.report.Verdict)).To(Equal("FAIL"), describe(o.report, o.dir))
			g.Expect(o.report.Cause).To(ContainSubstring(caughtBy[bug].cause))
			g.Expect(os.RemoveAll(o.dir)).To(Succeed())
		})
	}
}

func TestNaivePoolWithoutBugsPasses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: run without -short")
	}
	t.Parallel()
	var names []string
	for _, c := range caughtBy {
		names = append(names, c.scenario)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	runs := runAhead(names, func(name string) (*reports.Report, string, error) { return runApart(t.Context(), name, onNaive()...) })
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			o := runs[name]
			<-o.done
			g.Expect(o.err).NotTo(HaveOccurred())
			onAStarvedHost(t, o.report)
			g.Expect(string(o.report.Verdict)).To(Equal("PASS"), describe(o.report, o.dir))
		})
	}
}

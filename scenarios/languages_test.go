package scenarios_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios"
)

// languages are workers of other languages, which have no task of their own.
var languages = map[string][2]string{"Python": {"python3", "worker.py"}, "Node": {"node", "worker.mjs"}}

// handful is what is run without -every: storms and the end of the parent are in the tests of the pool.
var handful = []string{"term-graceful", "poison"}

// refused are the scenarios that ask for what workers of another language do not have, and what that is.
var refused = map[string]string{
	"kill-before-read": "the fault crashpoint: workers of another language have no crash points",
	"kill-mid-write":   "the fault crashpoint: workers of another language have no crash points",
	"kill-after-write": "the fault crashpoint: workers of another language have no crash points",
}

// setFor has the settings of a scenario that an interpreter's boot asks for: forty milliseconds of a processor, where a
// worker of this program takes four. No condition is changed.
var setFor = map[string][]string{
	"kill-storm":        {"target.pool.spares=4", "chaos.0.when.every=100ms"},
	"poisson-kill":      {"target.pool.spares=4"},
	"rolling-kill":      {"target.pool.spares=2"},
	"random-kill":       {"target.pool.spares=2"},
	"resize-under-kill": {"target.pool.spares=2"},
}

// workerOf sets the target's command to a worker of that language, or skips the test where there is no interpreter.
func workerOf(t *testing.T, language string) string {
	t.Helper()
	l := languages[language]
	program, err := exec.LookPath(l[0])
	if err != nil {
		t.Skipf("there is no %s here: %v", l[0], err)
	}
	script, err := filepath.Abs(filepath.Join("../workers/check/testdata", l[1]))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return fmt.Sprintf("target.pool.command=[%s, %s]", program, script)
}

// ofFleets tells whether a scenario is about a fleet.
func ofFleets(name string) bool {
	s, err := scenarios.ReadNamed(name, scenarios.Options{})
	return err == nil && slices.Contains(s.Labels, "fleet")
}

func TestTheLibraryHoldsForWorkersOfOtherLanguages(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	room := make(chan struct{}, max(1, *sideBySide))
	for language := range languages {
		command := sync.OnceValue(func() string { return workerOf(t, language) })
		for _, name := range scenarios.Library() {
			if !takes.Every() && !slices.Contains(handful, name) || refused[name] != "" || ofFleets(name) {
				continue
			}
			t.Run(language+"/"+name, func(t *testing.T) {
				workerOf(t, language) // skips this one alone
				t.Parallel()
				room <- struct{}{}
				defer func() { <-room }()
				g := NewWithT(t)
				r, dir, err := runApart(t, name, append([]string{command()}, setFor[name]...)...)
				g.Expect(err).NotTo(HaveOccurred())
				if r.Skipped != "" {
					t.Skip(r.Cause)
				}
				onAStarvedHost(t, r)
				g.Expect(string(r.Verdict)).To(Equal("PASS"), describe(r, dir))
			})
		}
	}
}

func TestWhatWorkersOfOtherLanguagesLackIsRefusedByName(t *testing.T) {
	g := NewWithT(t)
	for _, name := range scenarios.Library() {
		if ofFleets(name) {
			continue
		}
		_, err := scenarios.ReadNamed(name,
			scenarios.Options{Set: []string{"target.pool.command=[python3, worker.py]"}})
		if why := refused[name]; why != "" {
			g.Expect(err).To(MatchError(ContainSubstring(why)), name)
			continue
		}
		g.Expect(err).NotTo(HaveOccurred(), name)
	}
	for phase, fine := range map[string]bool{
		"idle": true, "running": true, "reading": false, "writing": false, "booting": false, "draining": false,
	} {
		_, err := scenarios.ReadNamed("random-kill",
			scenarios.Options{Set: []string{"target.pool.command=[python3, worker.py]", "chaos.0.pick.phase=" + phase}})
		if fine {
			g.Expect(err).NotTo(HaveOccurred(), phase)
			continue
		}
		g.Expect(err).To(MatchError(ContainSubstring("victims cannot be picked in the phase " + phase)))
	}
	_, err := scenarios.ReadNamed("tutorial",
		scenarios.Options{NoExec: true, Set: []string{"target.pool.command=[python3, worker.py]"}})
	g.Expect(err).To(MatchError(ContainSubstring("--no-exec forbids that")))
}

// The verdict is on the workers' answers and not on the harness's own.
func TestAWorkerOfAnotherLanguageThatAnswersWronglyFailsAScenario(t *testing.T) {
	takes.Seconds(t)
	workerOf(t, "Python")
	t.Parallel()
	g := NewWithT(t)
	liar, err := filepath.Abs("testdata/liar.py")
	g.Expect(err).NotTo(HaveOccurred())
	r, dir, err := runApart(t, "kill-busy", fmt.Sprintf("target.pool.command=[python3, %s]", liar))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(r.Verdict)).To(Equal("FAIL"), describe(r, dir))
	g.Expect(r.Cause).To(ContainSubstring("wrong"))
}

// The worker in Perl has the tasks of docs/wire.md alone.
func TestAScenarioPassesOnAWorkerOfAnotherLanguageWithoutAnSDK(t *testing.T) {
	takes.Seconds(t)
	if out, err := exec.Command("perl", "-MJSON::PP", "-MTime::HiRes", "-e", "1").CombinedOutput(); err != nil {
		t.Skipf("there is no Perl with its modules here: %v %s", err, out)
	}
	t.Parallel()
	g := NewWithT(t)
	worker, err := filepath.Abs("../workers/perl/worker.pl")
	g.Expect(err).NotTo(HaveOccurred())
	r, dir, err := runApart(t, "kill-busy", fmt.Sprintf("target.pool.command=[perl, %s]", worker))
	g.Expect(err).NotTo(HaveOccurred())
	onAStarvedHost(t, r)
	g.Expect(string(r.Verdict)).To(Equal("PASS"), describe(r, dir))
}

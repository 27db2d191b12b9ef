package scenarios_test

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/scenariotest"
)

func TestLibrary(t *testing.T) {
	t.Parallel()
	RegisterFailHandler(Fail)
	RunSpecs(t, "The scenario library, in its short form")
	t.Log(ofLibrary)
}

// ofLibrary counts the runs of the suite.
var ofLibrary = newTally("passed")

// sideBySide is how many runs of one test go on at once: they spend most of their time waiting.
var sideBySide = flag.Int("side", 3, "how many scenarios a test runs at once")

// outcome is one run, which goes on beside others.
type outcome struct {
	done   chan struct{}
	report *reports.Report
	dir    string
	err    error
}

// runAhead runs all of them side by side, in their order.
func runAhead[K comparable](keys []K, run func(K) (*reports.Report, string, error)) map[K]*outcome {
	all := make(map[K]*outcome, len(keys))
	for _, k := range keys {
		all[k] = &outcome{done: make(chan struct{})}
	}
	go func() {
		room := make(chan struct{}, max(1, *sideBySide))
		for _, k := range keys {
			room <- struct{}{}
			go func() {
				o := all[k]
				defer close(o.done)
				o.report, o.dir, o.err = run(k)
				<-room
			}()
		}
	}()
	return all
}

// brief are the scenarios that -short leaves, and usual those that are run without -every: what is killed, when, and
// how it is ended.
var (
	brief = []string{"tutorial", "kill-busy"}
	usual = append([]string{
		"kill-storm", "kill-mid-write", "pause-short", "oom-fallback", "poison", "close-under-kill", "supervisor-kill",
		"node-kill",
	}, brief...)
)

// leftOut tells that the scenario is not run this time.
func leftOut(s *scenarios.Scenario) bool {
	return testing.Short() && !slices.Contains(brief, s.Name) || !takes.Every() && !slices.Contains(usual, s.Name)
}

// libraryRun is one run of a scenario of the library: with -times of several, from 0.
type libraryRun struct {
	name  string
	again int
}

// Each file of the library is a spec, labelled as the file says: --label-filter '!oom' leaves those with that label
// out.
var _ = Describe("Our pool", Ordered, ContinueOnFailure, func() {
	list, err := scenariotest.Read([]string{"library/*.yaml"})
	if err != nil {
		panic(err) // TestEveryLibraryScenarioIsValidInBothForms says it better
	}
	var runs map[libraryRun]*outcome
	BeforeAll(func() {
		ctx, cancel := context.WithCancel(context.Background())
		DeferCleanup(cancel)
		var chosen []libraryRun
		settings := make(map[string][]string)
		for again := range *times {
			for _, s := range list {
				if leftOut(s) {
					continue
				}
				if Label(s.Labels...).MatchesLabelFilter(GinkgoLabelFilter()) &&
					!(raceEnabled && slices.Contains(s.Labels, "oom")) {
					chosen = append(chosen, libraryRun{s.Name, again})
					settings[s.Name] = roomForTheDetector(s)
				}
			}
		}
		runs = runAhead(chosen, func(r libraryRun) (*reports.Report, string, error) {
			return runProcess(ctx, nil, r.name, settings[r.name]...)
		})
	})
	passes := func(s *scenarios.Scenario, again int) {
		It("passes "+s.Name, Label(s.Labels...), func(ctx SpecContext) {
			if raceEnabled && slices.Contains(s.Labels, "oom") {
				Skip("workers without the race detector are needed: its shadow memory does not fit the limits")
			}
			if leftOut(s) {
				Skip("takes seconds: run without -short, and with -args -every")
			}
			DeferCleanup(func(ctx SpecContext) {
				state := ctx.SpecReport().State
				ofLibrary.count(s.Name, state.Is(types.SpecStatePassed), state.Is(types.SpecStateSkipped))
			})
			o := runs[libraryRun{s.Name, again}]
			select {
			case <-o.done:
			case <-ctx.Done():
				Fail("interrupted")
			}
			Expect(o.err).NotTo(HaveOccurred())
			if o.report.Skipped != "" {
				Skip(o.report.Cause)
			}
			if o.report.Starved() {
				Skip(o.report.Cause)
			}
			Expect(string(o.report.Verdict)).To(Equal("PASS"), describe(o.report, o.dir))
		})
	}
	for again := range *times {
		for _, s := range list {
			passes(s, again)
		}
	}
})

var memoryBound = regexp.MustCompile(`^(memory\..* <= )([0-9]+)MiB$`)

// roomForTheDetector has the settings that give a host and its workers under the race detector eight times the memory:
// its shadow of what the program touches comes with the load. Soak's host grows by 13 MiB in the short form, and by 66
// to 70 then.
func roomForTheDetector(s *scenarios.Scenario) (set []string) {
	for i, c := range s.Expect {
		if m := memoryBound.FindStringSubmatch(string(c)); m != nil && raceEnabled {
			n, _ := strconv.Atoi(m[2])
			set = append(set, fmt.Sprintf("expect.%d=%s%dMiB", i, m[1], 8*n))
		}
	}
	return set
}

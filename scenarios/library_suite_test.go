package scenarios_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/scenariotest"
)

func TestLibrary(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "The scenario library, in its short form")
}

// sideBySide is how many scenarios run at once: they spend most of their time waiting.
const sideBySide = 3

// outcome is one scenario's run, which goes on beside others.
type outcome struct {
	done   chan struct{}
	report *reports.Report
	dir    string
	err    error
}

// runAhead runs scenarios side by side, in their order.
func runAhead(ctx context.Context, list []*scenarios.Scenario) map[string]*outcome {
	all := make(map[string]*outcome, len(list))
	for _, s := range list {
		all[s.Name] = &outcome{done: make(chan struct{})}
	}
	go func() {
		room := make(chan struct{}, sideBySide)
		var wg sync.WaitGroup
		defer wg.Wait()
		for _, s := range list {
			room <- struct{}{}
			wg.Go(func() {
				o := all[s.Name]
				defer close(o.done)
				o.report, o.dir, o.err = runApart(ctx, s.Name)
				<-room
			})
		}
	}()
	return all
}

// Each file of the library is a spec, labelled as the file says: --label-filter '!oom' leaves those with that label out.
var _ = Describe("Our pool", Ordered, ContinueOnFailure, func() {
	list, err := scenariotest.Read([]string{"library/*.yaml"})
	if err != nil {
		panic(err) // TestEveryLibraryScenarioIsValidInBothForms says it better
	}
	var runs map[string]*outcome
	BeforeAll(func() {
		ctx, cancel := context.WithCancel(context.Background())
		DeferCleanup(cancel)
		var chosen []*scenarios.Scenario
		for _, s := range list {
			if Label(s.Labels...).MatchesLabelFilter(GinkgoLabelFilter()) && !(raceEnabled && slices.Contains(s.Labels, "oom")) {
				chosen = append(chosen, s)
			}
		}
		runs = runAhead(ctx, chosen)
	})
	for _, s := range list {
		It("passes "+s.Name, Label(s.Labels...), func(ctx SpecContext) {
			if raceEnabled && slices.Contains(s.Labels, "oom") {
				Skip("workers without the race detector are needed: its shadow memory does not fit the limits")
			}
			o := runs[s.Name]
			select {
			case <-o.done:
			case <-ctx.Done():
				Fail("interrupted")
			}
			Expect(o.err).NotTo(HaveOccurred())
			if o.report.Skipped != "" {
				Skip(o.report.Cause)
			}
			Expect(string(o.report.Verdict)).To(Equal("PASS"), describe(o.report, o.dir))
		})
	}
})

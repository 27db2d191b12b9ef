package scenariotest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/scenariotest"
)

// one runs the file and returns its report and where it is.
func one(g *WithT, t *testing.T, file string, opts ...scenariotest.Option) (*reports.Report, string) {
	list, err := scenariotest.Read([]string{file}, opts...)
	g.Expect(err).NotTo(HaveOccurred())
	r, dir, err := scenariotest.One(t.Context(), list[0], opts...)
	g.Expect(err).NotTo(HaveOccurred())
	return r, dir
}

func number(n uint64) string { return fmt.Sprint(n) }

func named(test string) scenariotest.Option { return func(o *scenariotest.Options) { o.Test = test } }

// Two tests of one scenario, or one test twice, each keep their report, and the gate sees the one that failed.
func TestNoRunOfATestTakesThePlaceOfAnother(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("RESPAWN_OUT", out)
	wrong := scenariotest.Pool(pool.Config{}, Shout, number,
		func(string, string) error { return errors.New("wrong, whatever it is") })
	right := scenariotest.Pool(pool.Config{}, Shout, number, nil)
	const file = "testdata/kill-one.yaml"
	r, dir := one(g, t, file, wrong, named("TestWrong/kill-one"))
	g.Expect(r.Verdict).To(Equal(reports.Fail), r.Cause)
	g.Expect(filepath.Base(dir)).To(Equal("kill-one"))

	var side sync.WaitGroup
	dirs := make([]string, 2)
	for i := range dirs {
		side.Go(func() {
			r, dir := one(g, t, file, right, named("TestRight/kill-one"))
			g.Expect(r.Verdict).To(Equal(reports.Pass), r.Cause)
			dirs[i] = filepath.Base(dir)
		})
	}
	side.Wait()
	g.Expect(dirs).To(ConsistOf("kill-one.2", "kill-one.3"))

	runs, err := reports.Judged(out)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(runs).To(HaveLen(3))
	g.Expect(runs[0].Verdict).To(Equal(reports.Fail))
	g.Expect(runs[0].Test).To(Equal("TestWrong/kill-one"))
	g.Expect(runs[0].Command).
		To(HavePrefix("go test -run '^TestWrong$/^kill-one$' github.com/respawn-go/respawn/scenarios/scenariotest"))
	index, err := os.ReadFile(filepath.Join(out, "index.html"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(index)).To(And(ContainSubstring("3 runs"), ContainSubstring("kill-one.3 (TestRight/kill-one)"),
		ContainSubstring("TestWrong")))
}

// A run of a test's own target can be made again by that test, and by nobody else, who is told how.
func TestARunOfATestsOwnPoolIsReplayedByThatTest(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	own := scenariotest.Pool(pool.Config{}, Shout, number, nil)
	const file = "testdata/kill-one.yaml"
	first, dir := one(g, t, file, own, named("TestOwn/kill-one"), scenariotest.Out(t.TempDir()),
		scenariotest.Set("seed=7"), scenariotest.Set("chaos.0.when.jitter=50%"))
	history := filepath.Join(dir, "history.jsonl")
	_, err := scenarios.ReadReplay(history, scenarios.Options{})
	g.Expect(err).To(MatchError(MatchRegexp(`is of a target that a test made, .* with: RESPAWN_REPLAY=` + history +
		` go test -run '\^TestOwn\$/\^kill-one\$' `)))

	t.Setenv("RESPAWN_REPLAY", dir)
	again, _ := one(g, t, file, own, named("TestOwn/kill-one"), scenariotest.Out(t.TempDir()))
	g.Expect(again.Seed).To(Equal(uint64(7)))
	g.Expect(again.Command).To(HavePrefix("RESPAWN_REPLAY=" + dir + " go test -run "))
	planned := func(r *reports.Report) (list []string) {
		for _, f := range r.Faults {
			// on whom, if fewer are busy, is another matter
			list = append(list, fmt.Sprintf("%s after %.3f s", f.Fault, f.DueS-r.Faults[0].DueS))
		}
		return list
	}
	g.Expect(planned(again)).To(Equal(planned(first)))

	list, err := scenariotest.Read([]string{"tutorial"})
	g.Expect(err).NotTo(HaveOccurred())
	_, _, err = scenariotest.One(t.Context(), list[0])
	g.Expect(err).To(MatchError("RESPAWN_REPLAY: " + history + " is of a target that a test made, not its scenario; " +
		"that test injects its faults again with: RESPAWN_REPLAY=" + history + " " + first.Command))
	_, _, err = scenariotest.One(t.Context(), list[0], own)
	g.Expect(err).To(MatchError(HavePrefix("RESPAWN_REPLAY is of another scenario: of kill-one, not tutorial")))
}

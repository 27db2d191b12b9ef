package scenarios

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios/scratch"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// HistoryFile is the name of the history in the directory of a run.
const HistoryFile = "history.jsonl"

// HistoryIn is the history in the directory of a run, or the file itself.
func HistoryIn(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, HistoryFile)
	}
	return path
}

// RunOptions says how a scenario is run.
type RunOptions struct {
	// Dir is where the run's files go; it is made. The history appears in it as things happen, the reports at the end.
	Dir string
	// Seed is used in place of the scenario's; 0: the scenario's, or 1.
	Seed uint64
	// Command repeats the run, for the report.
	Command string
	// Test is the name of the test that runs it, for the report; "" outside tests.
	Test string
	// Consent is asked before processes that somebody else started are struck: see [kind.Place]. nil: nobody consents.
	Consent func(kind.Seen) (how string, err error)
	// Target is tested in place of the scenario's own. It stays open: whoever made it closes it.
	Target TargetMaker
	// Shots are injected in place of the seed's plan: a replay. nil: the seed's plan.
	Shots []chaos.Shot
	// Progress is called as the run goes on, from one goroutine at a time; it must not block.
	Progress func(Progress)
	// Floors are taken in place of measuring them, which takes longer than a short run; nil: they are measured.
	Floors map[string]float64
	// Baseline is earlier reports, for the comparison on the page.
	Baseline []*reports.Report
}

// Run runs the scenario, judges it, and leaves its files in place of those of an earlier run. The report tells the
// verdict: ERROR if the target could not be started, ABORTED if ctx ended first. When ctx ends the run is healed,
// judged and reported all the same. An error tells that there is no report: [Problems] of the scenario on this host,
// files that cannot be written, or [reports.ErrTaken].
func (s *Scenario) Run(ctx context.Context, o RunOptions) (*reports.Report, error) {
	reapInherited()
	taken, err := reports.Take(o.Dir, o.Command)
	if err != nil {
		return nil, err
	}
	defer taken.Release()
	r, err := s.run(ctx, filepath.Join(o.Dir, HistoryFile), o)
	if err != nil {
		return nil, err
	}
	if err := r.Write(o.Dir, o.Baseline); err != nil {
		return r, err
	}
	return r, taken.Finish()
}

// run is Run without its files but the history.
func (s *Scenario) run(ctx context.Context, path string, o RunOptions) (*reports.Report, error) {
	if missing := s.missing(); missing != "" {
		r := s.unstarted(o, check.Inconclusive, "Skipped: this host lacks "+missing)
		r.Skipped = missing
		return r, nil
	}
	if o.Progress != nil {
		o.Progress(Progress{Stage: "start", Planned: s.planned()})
	}
	err := s.record(ctx, path, o)
	switch mistakes := Problems(nil); {
	case err == nil, errors.Is(err, chaos.ErrHistory):
		r, judgeErr := reports.Judge(path)
		if r == nil {
			return nil, errors.Join(err, judgeErr)
		}
		if err != nil { // what the history lacks it cannot tell
			r.Fail(check.Error, "the harness failed: "+err.Error())
		}
		return r, nil // if the history is cut short, the verdict tells
	case errors.As(err, &mistakes):
		return nil, err
	case ctx.Err() != nil:
		return s.unstarted(o, check.Aborted, "Interrupted before the target was up"), nil
	}
	r := s.unstarted(o, check.Error, "The run could not begin: "+err.Error())
	var absent *foreign.NotInstalledError
	if errors.As(err, &absent) {
		r.NotInstalled = absent.Error()
	}
	return r, nil
}

// unstarted is the report of a run without a history.
func (s *Scenario) unstarted(o RunOptions, v check.Verdict, cause string) *reports.Report {
	return &reports.Report{
		Facts: reports.Facts{
			SchemaVersion: reports.SchemaVersion, Run: rand.Text(), Test: o.Test, Scenario: s.Name,
			Description: s.Description, Seed: s.seed(o), Command: o.Command,
			Started: time.Now(), Environment: Environment(), Capabilities: capabilities(),
			Faults: []reports.Injection{}, Exits: []reports.Exit{},
		},
		Result: check.Result{Verdict: v, Cause: cause},
	}
}

// experiment is a digest of what the scenario asks for. How it is named and described, and its seed, are no part of
// that.
func (s *Scenario) experiment() string {
	c := *s
	c.Name, c.Description, c.Labels, c.Seed, c.Short = "", "", nil, 0, Overrides{}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // plain values
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// seed is what the run's plan is made from.
func (s *Scenario) seed(o RunOptions) uint64 { return cmp.Or(o.Seed, s.Seed, 1) }

// record runs the scenario and leaves its history. An error means that there is no history worth judging.
func (s *Scenario) record(ctx context.Context, path string, o RunOptions) error {
	dir, remove, err := scratch.Dir("respawn-run-")
	if err != nil {
		return err
	}
	defer remove()
	soon, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()

	run := s.prepare(o)
	if run.Header.Floors = maps.Clone(o.Floors); o.Floors == nil {
		run.Floors = spawnFloor
		if run.Header.Floors, err = measureFloors(soon); err != nil {
			return err
		}
	}
	t, err := s.open(soon, dir, o)
	if unfit := (*kind.UnfitError)(nil); errors.As(err, &unfit) {
		return Problems{s.problemAt("target."+s.Target.Kind, unfit)}
	}
	if err != nil {
		return fmt.Errorf("start the target: %w", err)
	}
	defer func() { _ = t.End() }()
	if err := s.refuse(t.Describe()); err != nil {
		return err
	}
	if respawn, measured := run.Header.Floors["respawn"]; measured && o.Floors == nil {
		run.Header.Floors["respawn"] = respawn + t.Boot.Seconds()
	}
	run.Target, run.Witness, run.Close = t.Target, t.Witness, t.Closing
	run.Header.Consent = t.Consent
	if err := s.resolve(run); err != nil {
		return err
	}
	dead, err := guardian.Start(marker(t.Target), nil)
	if err != nil {
		return err
	}
	defer dead.Close()
	run.Guardian = dead

	run.Timeout = s.timeout()
	s.follow(run, o.Progress)
	run.Open = chaos.Create(path)
	err = run.Do(ctx)
	if _, statErr := os.Stat(path); statErr == nil && !errors.Is(err, chaos.ErrHistory) {
		return nil // the history tells what went wrong: an interruption, an abort condition, the harness
	}
	return err
}

// prepare is the part of the engine's run that the file decides.
func (s *Scenario) prepare(o RunOptions) *chaos.Run {
	seed := s.seed(o)
	run := &chaos.Run{
		Seed: seed, Chaos: s.engine(), Shots: o.Shots, Load: s.Load.engine(), MinAlive: s.minAlive(),
		Settle: s.settle(),
		Header: history.Header{
			Run: rand.Text(), Test: o.Test, Scenario: s.Name, Description: s.Description, Seed: seed,
			Command: o.Command, Source: string(s.text), Experiment: s.experiment(),
			OwnTarget: o.Target != nil, Environment: Environment(), Capabilities: capabilities(),
		},
	}
	if s.Load != nil {
		run.Warmup = s.Load.Warmup.Std()
	}
	return run
}

// follow judges the run while it goes on: it tells how far it is, and ends it as soon as an abort condition of the
// scenario holds.
func (s *Scenario) follow(run *chaos.Run, tell func(Progress)) {
	header := run.Header
	header.Target = run.Target.Describe()
	live := check.NewLive(header)
	l := live.Ledger()
	l.Forget = len(s.Abort) == 0
	if tell == nil && l.Forget {
		return
	}
	track := newTracker(l, s.planned(), tell)
	line := 1
	run.Progress = func(e history.Event) {
		line++
		live.Add(line, e)
		if tell != nil {
			track.look(e)
		}
	}
	for _, r := range header.Rules {
		if r.Group == "abort" {
			run.Abort = append(run.Abort, chaos.Abort{Rule: r.Text, Tripped: func(history.Event) bool {
				// after Progress
				t, tripped := live.Tripped()
				return tripped && t.Text == r.Text
			}})
		}
	}
}

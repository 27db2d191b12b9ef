package shrink

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// Finding is why a run failed: check's, for those who shrink histories and know nothing of checking.
type Finding = check.Finding

// Runs is an oracle of real runs: each candidate is written as a scenario, run, and judged. Its Fails may be called
// from several goroutines at once, of which one after the other reports its progress.
type Runs struct {
	Scenario *scenarios.Scenario // of the run that failed
	Seed     uint64
	Want     Finding
	NoExec   bool
	Dir      string // the last run that failed leaves its files there
	Progress func(scenarios.Progress)

	mu     sync.Mutex         // for what follows, and for Dir
	floors map[string]float64 // of the host, measured once
	failed string             // the key of the candidate that those files are of
	shows  sync.Mutex         // of the run that reports its progress
}

// Load reads the history of a run that failed: its plan as the candidate to start with, how many strikes came before
// the failure was seen, and an oracle for the first of its findings.
func Load(path string, opts scenarios.Options) (*Runs, Candidate, int, error) {
	r, err := reports.Judge(path)
	if err != nil {
		return nil, Candidate{}, 0, err
	}
	blamed := func(f check.Finding) bool { return f.Verdict == check.Fail }
	first := slices.IndexFunc(r.Findings, blamed)
	if first < 0 {
		return nil, Candidate{}, 0, fmt.Errorf("%s: %s: there is no failure of the target to shrink: %s",
			path, r.Verdict, r.Cause)
	}
	replay, err := scenarios.ReplayOf(path, r.Ledger, opts)
	if err != nil {
		return nil, Candidate{}, 0, err
	}
	strikes, err := replay.Strikes()
	if err != nil {
		return nil, Candidate{}, 0, err
	}
	s := replay.Scenario
	start := Candidate{
		Strikes: strikes, Size: s.Size(), Settle: s.Settle.Std(), NoWarmup: s.Load == nil || s.Load.Warmup == 0,
	}
	if l := s.Load; l != nil {
		start.Concurrency, start.Count, start.Rate = int(l.Concurrency), int(l.Count), int(l.Rate)
	}
	want := r.Findings[first]
	recent, err := before(path, want.Event, strikes, r.Ledger.Began[ledger.Chaos])
	return &Runs{Scenario: s, Seed: replay.Seed, Want: want, NoExec: opts.NoExec}, start, recent, err
}

// before counts the strikes that came before what a line of the history tells; 0 when no line does. They are told from
// the time at which the faults began.
func before(path string, line int, strikes []scenarios.Strike, began time.Duration) (int, error) {
	if line <= 1 {
		return 0, nil
	}
	in, err := history.Open(path)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	for e, err := range in.Events() {
		if err != nil {
			return 0, err
		}
		if in.Line() == line {
			late := func(s scenarios.Strike) bool { return s.At > e.T-began }
			return len(slices.DeleteFunc(slices.Clone(strikes), late)), nil
		}
	}
	return 0, nil
}

// Text is the candidate as a scenario of that name.
func (r *Runs) Text(c Candidate, name, description string) ([]byte, error) {
	return r.Scenario.Sequence(name, description, c.Strikes, c.settings(r.Scenario))
}

// Name is that of what comes of the scenario.
func (r *Runs) Name() string {
	const suffix, longest = "-shrunk", 63
	return r.Scenario.Name[:min(len(r.Scenario.Name), longest-len(suffix))] + suffix
}

// tries is how often a run is made again whose host was starved, or in which the harness broke.
const tries = 3

// Fails implements [Oracle]. What is no experiment at all, such as one whose conditions cannot hold with so few
// members, does not fail.
func (r *Runs) Fails(ctx context.Context, c Candidate) (bool, error) {
	text, err := r.Text(c, r.Name(), "")
	var s *scenarios.Scenario
	if err == nil {
		s, err = scenarios.Parse(r.Scenario.Argument(), text, scenarios.Options{NoExec: r.NoExec})
	}
	if mistakes := scenarios.Problems(nil); errors.As(err, &mistakes) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for try := 1; ; try++ {
		report, dir, err := r.run(ctx, s)
		if err != nil {
			return false, err
		}
		switch fails := slices.ContainsFunc(report.Findings, r.Want.Same); {
		case ctx.Err() != nil:
			return false, errors.Join(ctx.Err(), os.RemoveAll(dir))
		case report.NotInstalled != "":
			return false, errors.New(report.NotInstalled)
		case report.Verdict == check.Error && try == tries:
			return false, errors.Join(&UndecidedError{report.Cause}, os.RemoveAll(dir))
		case report.Verdict == check.Error, report.Starved() && try < tries:
			err = os.RemoveAll(dir)
		case fails:
			return true, r.keep(c, dir)
		default:
			return false, os.RemoveAll(dir)
		}
		if err != nil {
			return false, err
		}
	}
}

// run runs the scenario in a directory beside the result.
func (r *Runs) run(ctx context.Context, s *scenarios.Scenario) (*reports.Report, string, error) {
	dir, err := os.MkdirTemp(filepath.Dir(r.Dir), ".respawn-shrink-")
	if err != nil {
		return nil, "", err
	}
	r.mu.Lock()
	o := scenarios.RunOptions{
		Dir: dir, Seed: r.Seed, Command: "respawn run " + scenarios.QuotedPath(r.File()), Floors: r.floors,
	}
	r.mu.Unlock()
	if r.shows.TryLock() {
		defer r.shows.Unlock()
		o.Progress = r.Progress
	}
	report, err := s.Run(ctx, o)
	if report == nil {
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floors = report.Floors
	return report, dir, err
}

// File is where the result is, as a scenario.
func (r *Runs) File() string { return filepath.Join(r.Dir, "scenario.yaml") }

// keep puts the files of a run that failed in place of those of the last one.
func (r *Runs) keep(c Candidate, dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = c.key()
	files, err := os.ReadDir(dir)
	if err == nil {
		err = os.MkdirAll(r.Dir, 0o755)
	}
	for _, f := range files {
		if err == nil {
			err = os.Rename(filepath.Join(dir, f.Name()), filepath.Join(r.Dir, f.Name()))
		}
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// Kept tells whether the files in Dir are of that candidate.
func (r *Runs) Kept(c Candidate) bool { return r.failed == c.key() }

// Package scenariotest runs scenario files as tests: in plain Go tests and as ginkgo specs, against the project's pool
// or a pool and tasks of the user's own.
//
//	func TestMain(m *testing.M) { pool.Main(); os.Exit(m.Run()) }
//
//	func TestResilience(t *testing.T) {
//		scenariotest.Run(t, "testdata/*.yaml", scenariotest.Pool(cfg, Shout, input, check))
//	}
//
// With RESPAWN_OUT set to a directory, which must be an absolute path since go test runs each package in its own, every
// run leaves its report there, and index.html lists them. A run never takes another's place: NAME, NAME.2, NAME.3.
// respawn gate decides over all of them. With RESPAWN_REPLAY set to the history of a run, the scenario of that name is
// run with the faults that the history has, in place of those that its seed would plan.
package scenariotest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// Options changes how scenarios are run. The zero value runs the short forms against the targets that the files name.
type Options struct {
	// Full runs the scenarios as they are; by default their short forms are run.
	Full bool
	// Target is tested in place of the file's: see Against.
	Target scenarios.TargetMaker
	// Set changes keys, as respawn run --set does.
	Set []string
	// Out keeps the reports: they go to OUT/NAME, or where a run has left its own already to OUT/NAME.2, OUT/NAME.3,
	// and so on, and OUT/index.html lists them. Default: $RESPAWN_OUT if it is set, else a temporary directory that is
	// removed when the test has passed.
	Out string
	// Test is the name of the test, for the report. Run sets it.
	Test string

	close []func() error // what the options have made
}

// Option changes one of Options.
type Option func(*Options)

// Full runs the scenarios as they are, not their short forms.
func Full() Option { return func(o *Options) { o.Full = true } }

// Set changes a key of every scenario: "chaos.0.when.for=5s".
func Set(setting string) Option { return func(o *Options) { o.Set = append(o.Set, setting) } }

// Out keeps the reports in OUT/NAME, OUT/NAME.2, and so on.
func Out(dir string) Option { return func(o *Options) { o.Out = dir } }

// Against tests what make returns in place of the targets that the files name. It is called once for each scenario,
// with the number of members that the scenario wants; cleanup belongs to the caller (t.Cleanup). A target that also
// implements chaos.Runner is loaded with the scenario's tasks.
func Against(make func(ctx context.Context, size int) (chaos.Target, error)) Option {
	return func(o *Options) {
		o.Target = func(ctx context.Context, _ string, size int) (chaos.Target, string, error) {
			t, err := make(ctx, size)
			return t, "", err
		}
	}
}

// Pool tests a pool with that config, of as many workers as the scenario wants, loaded with that task whatever task the
// scenario names: input makes the argument of the n-th submission, and check says what is wrong with the answer to it
// (nil takes every answer). The rest of the scenario's target.pool is for pools that the command makes, and not looked
// at.
func Pool[In, Out any](cfg pool.Config, task pool.Task[In, Out], input func(n uint64) In,
	check func(In, Out) error,
) Option {
	return func(o *Options) {
		o.Target = func(ctx context.Context, dir string, size int) (chaos.Target, string, error) {
			cfg := cfg
			if size > 0 {
				cfg.Size = size
			}
			p, err := pool.New(ctx, cfg)
			if err != nil {
				return nil, "", err
			}
			o.close = append(o.close, p.Close)
			return own.Load(own.Adapt(p, cfg, dir), task, input, check), "", nil
		}
	}
}

// Run runs every scenario that the patterns match, each as a subtest, and fails those that do not PASS. A pattern is a
// path with wildcards as in filepath.Glob, or a name of the library. A scenario that the host cannot run is skipped
// with the name of what is missing. It fails if nothing matches.
func Run(t *testing.T, pattern string, opts ...Option) {
	t.Helper()
	list, err := Read([]string{pattern}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		t.Run(s.Name, func(t *testing.T) {
			r, dir, err := One(t.Context(), s,
				append(opts[:len(opts):len(opts)], func(o *Options) { o.Test = t.Name() })...)
			switch {
			case errors.Is(err, errOther):
				t.Skip(err)
			case err != nil:
				t.Fatal(err)
			case r.Skipped != "":
				t.Skip(r.Cause)
			case r.Verdict.ExitCode() != 0:
				t.Fatal(Describe(r, dir))
			}
		})
	}
}

// Read reads the scenarios that the patterns match.
func Read(patterns []string, opts ...Option) ([]*scenarios.Scenario, error) {
	o := collect(opts)
	var list []*scenarios.Scenario
	for _, p := range patterns {
		files, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for _, f := range files {
			s, err := scenarios.ReadFile(f, o)
			if err != nil {
				return nil, err
			}
			list = append(list, s)
		}
		if len(files) > 0 {
			continue
		}
		s, err := scenarios.ReadNamed(p, o)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func collect(opts []Option) scenarios.Options {
	return gather(opts).reading()
}

func gather(opts []Option) *Options {
	o := &Options{}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// reading is how the files are read.
func (o *Options) reading() scenarios.Options { return scenarios.Options{Short: !o.Full, Set: o.Set} }

// One runs one scenario and returns its report and the directory that has its files. That directory is removed if the
// run passed and nobody asked for it.
func One(ctx context.Context, s *scenarios.Scenario, opts ...Option) (r *reports.Report, dir string, err error) {
	o := gather(opts)
	again, err := o.replay(s)
	if err != nil {
		return nil, "", err
	}
	out := cmp.Or(o.Out, os.Getenv("RESPAWN_OUT"))
	if out == "" {
		if out, err = os.MkdirTemp("", "respawn-test-"); err != nil {
			return nil, "", err
		}
		defer func() {
			if err != nil || r.Verdict.ExitCode() == 0 || r.Skipped != "" {
				err = errors.Join(err, os.RemoveAll(out))
			}
		}()
	} else {
		defer func() { err = errors.Join(err, reports.List(out)) }()
	}
	if dir, err = claim(out, s.Name); err != nil {
		return nil, "", err
	}
	defer func() {
		for _, end := range o.close {
			err = errors.Join(err, end())
		}
	}()
	run := scenarios.RunOptions{
		Dir: dir, Target: o.Target, Test: o.Test, Command: scenarios.Repeat(s.Argument(), 0, o.reading()),
	}
	if o.Target != nil {
		run.Command = o.command() // only the test can make that target
	}
	if again != nil {
		s, run.Seed, run.Shots = again.Scenario, again.Seed, again.Shots
		run.Command = "RESPAWN_REPLAY=" + scenarios.Quoted(os.Getenv("RESPAWN_REPLAY")) + " " + run.Command
	}
	r, err = s.Run(ctx, run)
	return r, dir, err
}

// errOther is of a scenario that RESPAWN_REPLAY is not about.
var errOther = errors.New("RESPAWN_REPLAY is of another scenario")

// replay is the run that is to be made again, nil if none is.
func (o *Options) replay(s *scenarios.Scenario) (*scenarios.Replay, error) {
	path := os.Getenv("RESPAWN_REPLAY")
	if path == "" {
		return nil, nil
	}
	again, err := scenarios.ReadReplay(scenarios.HistoryIn(path), scenarios.Options{OwnTarget: o.Target != nil})
	if err != nil {
		return nil, fmt.Errorf("RESPAWN_REPLAY: %w", err)
	}
	if again.Scenario.Name != s.Name {
		return nil, fmt.Errorf("%w: of %s, not %s", errOther, again.Scenario.Name, s.Name)
	}
	return again, nil
}

// claim makes the directory of a run, one that no other run has: not of another test, and not of the same one before.
func claim(out, name string) (string, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		dir := filepath.Join(out, name)
		if n > 1 {
			dir = fmt.Sprintf("%s.%d", dir, n)
		}
		if err := os.Mkdir(dir, 0o755); !errors.Is(err, os.ErrExist) {
			return dir, err
		}
	}
}

// command is what runs the test again, "" if it is not known.
func (o *Options) command() string {
	if o.Test == "" {
		return ""
	}
	var names []string
	for part := range strings.SplitSeq(o.Test, "/") {
		names = append(names, "^"+regexp.QuoteMeta(part)+"$")
	}
	command := "go test -run " + scenarios.Quoted(strings.Join(names, "/"))
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasSuffix(info.Path, ".test") {
		command += " " + strings.TrimSuffix(info.Path, ".test")
	}
	return command
}

// Describe is why a run did not pass, and where to read on.
func Describe(r *reports.Report, dir string) string {
	text := fmt.Sprintf("%s %s: %s\n", r.Verdict, r.Scenario, r.Cause)
	for i, f := range r.Findings {
		if i == 0 && f.Text == r.Cause {
			continue
		}
		text += fmt.Sprintf("  %s: %s\n", f.Verdict, f.Text)
	}
	repeat := r.Command
	if repeat == "" {
		repeat = "this test"
	}
	return text + fmt.Sprintf("  seed %d, repeat with: %s\n  report: %s",
		r.Seed, repeat, filepath.Join(dir, "report.html"))
}

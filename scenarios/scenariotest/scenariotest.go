// Package scenariotest runs scenario files as tests: in plain Go tests and as ginkgo specs, against the project's pool or a
// pool and tasks of the user's own.
//
//	func TestMain(m *testing.M) { pool.Main(); os.Exit(m.Run()) }
//
//	func TestResilience(t *testing.T) { scenariotest.Run(t, "testdata/*.yaml") }
package scenariotest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// Options changes how scenarios are run. The zero value runs the short forms against the targets that the files name.
type Options struct {
	// Full runs the scenarios as they are; by default their short forms are run.
	Full bool
	// Target is tested in place of the file's: see Against.
	Target scenarios.TargetMaker
	// Set changes keys, as respawn run --set does.
	Set []string
	// Out keeps the reports: they go to OUT/NAME. Default: $RESPAWN_OUT if it is set, else a temporary directory that is
	// removed when the test has passed.
	Out string
}

// Option changes one of Options.
type Option func(*Options)

// Full runs the scenarios as they are, not their short forms.
func Full() Option { return func(o *Options) { o.Full = true } }

// Set changes a key of every scenario: "chaos.0.when.for=5s".
func Set(setting string) Option { return func(o *Options) { o.Set = append(o.Set, setting) } }

// Out keeps the reports in OUT/NAME.
func Out(dir string) Option { return func(o *Options) { o.Out = dir } }

// Against tests what make returns in place of the targets that the files name. It is called once for each scenario, with
// the number of members that the scenario wants; cleanup belongs to the caller (t.Cleanup). A target that also implements
// chaos.Runner is loaded with the scenario's tasks.
func Against(make func(ctx context.Context, size int) (chaos.Target, error)) Option {
	return func(o *Options) {
		o.Target = func(ctx context.Context, _ string, size int) (chaos.Target, string, error) {
			t, err := make(ctx, size)
			return t, "", err
		}
	}
}

// Run runs every scenario that the patterns match, each as a subtest, and fails those that do not PASS. A pattern is a
// path with wildcards as in filepath.Glob, or a name of the library. A scenario that the host cannot run is skipped with the
// name of what is missing. It fails if nothing matches.
func Run(t *testing.T, pattern string, opts ...Option) {
	t.Helper()
	list, err := Read([]string{pattern}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		t.Run(s.Name, func(t *testing.T) {
			r, dir, err := One(t.Context(), s, opts...)
			switch {
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

func gather(opts []Option) (o Options) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// reading is how the files are read.
func (o Options) reading() scenarios.Options { return scenarios.Options{Short: !o.Full, Set: o.Set} }

// One runs one scenario and returns its report and the directory that has its files. That directory is removed if the run
// passed and nobody asked for it.
func One(ctx context.Context, s *scenarios.Scenario, opts ...Option) (r *reports.Report, dir string, err error) {
	o := gather(opts)
	out := o.Out
	if out == "" {
		out = os.Getenv("RESPAWN_OUT")
	}
	if out == "" {
		if out, err = os.MkdirTemp("", "respawn-test-"); err != nil {
			return nil, "", err
		}
		defer func() {
			if err != nil || r.Verdict.ExitCode() == 0 || r.Skipped != "" {
				err = errors.Join(err, os.RemoveAll(out))
			}
		}()
	}
	dir = filepath.Join(out, s.Name)
	command := scenarios.Repeat(s.Argument(), 0, o.reading())
	if o.Target != nil {
		command = "" // only the test can make that target
	}
	r, err = s.Run(ctx, scenarios.RunOptions{Dir: dir, Target: o.Target, Command: command})
	return r, dir, err
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
	return text + fmt.Sprintf("  seed %d, repeat with: %s\n  report: %s", r.Seed, repeat, filepath.Join(dir, "report.html"))
}

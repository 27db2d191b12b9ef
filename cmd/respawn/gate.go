package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

// gateFlags is what the command line of gate says.
type gateFlags struct {
	policy, junit, badge string
	baselines            []string
	asJSON               bool
}

func newGate() *cobra.Command {
	var f gateFlags
	cmd := &cobra.Command{
		Use:   "gate DIR",
		Short: "One decision over many runs, for CI",
		Long: `Judge every run in DIR and below it again by its history, and decide: green only if each
passed within the last day (max_age in the policy), and each scenario that the policy names was
run. Copies of a run count once.

With a baseline, slot recovery is compared by every single death, as it was and in the run's own
spawn floors: the median, the slowest tenth, and what is far out. Runs of the baseline that lie
in one directory are one release: with several, or --baseline several times, a slowdown that
creeps up from release to release is red too. docs/gate.md says what it finds and what it cannot.

In GitHub Actions it also writes annotations and the step summary; --junit is for other CI
systems, and --badge for a page that shows how it stands.

Exit codes: 0 green, 1 red, 2 usage or policy error, 5 harness error.`,
		Example: "  respawn gate respawn-out\n  respawn gate respawn-out --policy ci/gate.yaml --baseline releases",
		Args:    needs("which directory of reports?", false),
		RunE:    func(cmd *cobra.Command, args []string) error { return decide(cmd, args[0], f) },
	}
	cmd.Flags().StringVar(&f.policy, "policy", "",
		"policy file: which scenarios must be there, which verdicts are allowed")
	cmd.Flags().StringArrayVar(&f.baselines, "baseline", nil,
		"directory of earlier reports to compare with, or of several releases' (repeat for more)")
	cmd.Flags().StringVar(&f.junit, "junit", "", "write the decision to this file as JUnit XML, a test case a scenario")
	cmd.Flags().StringVar(&f.badge, "badge", "", "write the decision to this file as a badge, an SVG picture")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print the decision as JSON")
	return cmd
}

// decide reads the runs, decides, and tells.
func decide(cmd *cobra.Command, dir string, f gateFlags) error {
	var p ci.Policy
	var err error
	if f.policy != "" {
		if p, err = ci.ReadPolicy(f.policy); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
			return &exitError{code: exitUsage}
		}
	}
	if err := f.writable(); err != nil {
		return err
	}
	runs, unread, err := read(dir, p)
	if errors.Is(err, reports.ErrNoReports) && f.badge != "" {
		// the badge of the last time would say what does not hold
		err = errors.Join(err, reports.WriteFile(f.badge, ci.Decision{}.Badge))
	}
	if err != nil {
		return usage("%w", err)
	}
	var before []ci.Release
	for _, b := range f.baselines {
		more, err := releases(b, len(f.baselines) > 1)
		if err != nil {
			return usage("--baseline: %w", err)
		}
		before = append(before, more...)
	}
	known := scenarios.Library()
	for _, r := range runs {
		known = append(known, r.Scenario)
	}
	for _, u := range unread {
		known = append(known, u.Scenario)
	}
	if err := p.Misnamed(known); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return &exitError{code: exitUsage}
	}
	d := ci.Decide(time.Now(), runs, before, p, unread...)
	if len(runs)+len(unread) == 0 {
		d.Note = fmt.Sprintf("%v in %s", reports.ErrNoReports, dir)
	}
	commands := cmd.OutOrStdout()
	if f.asJSON {
		err = writeJSON(cmd.OutOrStdout(), d)
		commands = cmd.ErrOrStderr() // which GitHub's runner reads as well
	} else {
		d.Print(cmd.OutOrStdout(), room(cmd.OutOrStdout()))
	}
	if err == nil {
		err = d.Annotate(commands)
	}
	if err == nil {
		err = f.write(d)
	}
	if err == nil && !d.Green {
		return &exitError{code: d.Exit()}
	}
	return err
}

// writable tells before anything is read which of the files cannot be written.
func (f gateFlags) writable() error {
	for flag, path := range map[string]string{
		"--junit": f.junit, "--badge": f.badge, "GITHUB_STEP_SUMMARY": ci.StepSummary(),
	} {
		if path == "" {
			continue
		}
		if err := reports.Writable(path); err != nil {
			return usage("%s: %w", flag, err)
		}
	}
	if f.badge != "" && f.badge == f.junit {
		return usage("--badge and --junit are the same file: %s", f.badge)
	}
	return nil
}

// write writes the decision's files.
func (f gateFlags) write(d ci.Decision) error {
	var junit, badge error
	if f.junit != "" {
		junit = reports.WriteFile(f.junit, d.JUnit)
	}
	if f.badge != "" {
		badge = reports.WriteFile(f.badge, d.Badge)
	}
	return errors.Join(junit, badge)
}

// read is the runs in the directory, and what could not be read of them. A directory without any is a mistake, unless a
// policy says what is missing there.
func read(dir string, p ci.Policy) (runs []*reports.Report, unread []*reports.UnreadError, err error) {
	entries, err := reports.Judged(dir)
	for _, e := range entries {
		runs = append(runs, e.Report)
	}
	if err == nil && len(runs) == 0 && len(p.Scenarios) == 0 {
		return nil, nil, reports.NoReports(dir)
	}
	all, several := err.(interface{ Unwrap() []error })
	if !several {
		return runs, nil, err
	}
	for _, e := range all.Unwrap() {
		var u *reports.UnreadError
		if !errors.As(e, &u) {
			return nil, nil, err
		}
		unread = append(unread, u)
	}
	return runs, unread, nil
}

// releases is the runs of a baseline, those in one directory together.
func releases(dir string, several bool) (list []ci.Release, err error) {
	runs, err := reports.JudgedBaseline(dir)
	if err == nil && len(runs) == 0 {
		err = reports.NoReports(dir)
	}
	at := map[string]int{}
	for _, e := range runs {
		in := filepath.Dir(e.Dir)
		i, known := at[in]
		if !known {
			i = len(list)
			at[in] = i
			list = append(list, ci.Release{Name: filepath.ToSlash(in)})
		}
		list[i].Runs = append(list[i].Runs, e.Report)
	}
	for i := range list {
		switch {
		case several:
			list[i].Name = filepath.ToSlash(filepath.Join(dir, list[i].Name))
		case len(list) == 1:
			list[i].Name = "" // it needs none
		}
	}
	return list, err
}

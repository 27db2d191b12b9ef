package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
)

func newGate() *cobra.Command {
	var policy, baseline, junit string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "gate DIR",
		Short: "One decision over many runs, for CI",
		Long: `Read every DIR/*/report.json and decide: green only if each run passed, and each scenario
that the policy names was run. With a baseline, the median slot recovery over the run's own
spawn floor is compared by statistics; a single noisy figure decides nothing.

In GitHub Actions it also writes annotations and the step summary; --junit is for other CI systems.`,
		Example: "  respawn gate respawn-out\n  respawn gate respawn-out --policy ci/gate.yaml --baseline baseline",
		Args:    needs("which directory of reports?", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p ci.Policy
			var err error
			if policy != "" {
				if p, err = ci.ReadPolicy(policy); err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), err)
					return &exitError{code: exitUsage}
				}
			}
			for flag, path := range map[string]string{"--junit": junit, "GITHUB_STEP_SUMMARY": ci.StepSummary()} {
				if path == "" {
					continue
				}
				if err := reports.Writable(path); err != nil {
					return usage("%s: %w", flag, err)
				}
			}
			runs, unread, err := read(args[0], p)
			if err != nil {
				return usage("%w", err)
			}
			var before []*reports.Report
			if baseline != "" {
				if before, err = reports.LoadAll(baseline); err != nil {
					return usage("%w", err)
				}
			}
			d := ci.Decide(runs, before, p, unread...)
			if len(runs)+len(unread) == 0 {
				d.Note = fmt.Sprintf("%v in %s", reports.ErrNoReports, args[0])
			}
			commands := cmd.OutOrStdout()
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), d)
				commands = cmd.ErrOrStderr() // which GitHub's runner reads as well
			} else {
				d.Print(cmd.OutOrStdout())
			}
			if err == nil {
				err = d.Annotate(commands)
			}
			if err == nil && junit != "" {
				err = reports.WriteFile(junit, d.JUnit)
			}
			if err == nil && !d.Green {
				return &exitError{code: d.Exit()}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&policy, "policy", "", "policy file: which scenarios must be there, which verdicts are allowed")
	cmd.Flags().StringVar(&baseline, "baseline", "", "directory of earlier reports to compare with")
	cmd.Flags().StringVar(&junit, "junit", "", "write the decision to this file as JUnit XML, a test case a scenario")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the decision as JSON")
	return cmd
}

// read is the runs in the directory, and what could not be read of them. A directory without any is a mistake, unless a policy
// says what is missing there.
func read(dir string, p ci.Policy) (runs []*reports.Report, unread []*reports.UnreadError, err error) {
	runs, err = reports.LoadAll(dir)
	if errors.Is(err, reports.ErrNoReports) && len(p.Scenarios) > 0 {
		return nil, nil, nil
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

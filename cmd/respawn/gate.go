package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/ci"
	"github.com/respawn-go/respawn/reports"
)

func newGate() *cobra.Command {
	var policy, baseline string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "gate DIR",
		Short: "One decision over many runs, for CI",
		Long: `Read every DIR/*/report.json and decide: green only if each run passed, and each scenario
that the policy names was run. With a baseline, the median slot recovery over the run's own
spawn floor is compared by statistics; a single noisy figure decides nothing.

In GitHub Actions it also writes annotations and the step summary.`,
		Example: "  respawn gate respawn-out\n  respawn gate respawn-out --policy ci/gate.yaml --baseline baseline",
		Args:    needs("which directory of reports?", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			runs, err := reports.LoadAll(args[0])
			if err != nil {
				return usage("%w", err)
			}
			var p ci.Policy
			if policy != "" {
				if p, err = ci.ReadPolicy(policy); err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), err)
					return &exitError{code: exitUsage}
				}
			}
			var before []*reports.Report
			if baseline != "" {
				if before, err = reports.LoadAll(baseline); err != nil {
					return usage("%w", err)
				}
			}
			d := ci.Decide(runs, before, p)
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), d)
			} else {
				d.Print(cmd.OutOrStdout())
				err = d.Annotate(cmd.OutOrStdout())
			}
			if err == nil && !d.Green {
				return &exitError{code: d.Exit()}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&policy, "policy", "", "policy file: which scenarios must be there, which verdicts are allowed")
	cmd.Flags().StringVar(&baseline, "baseline", "", "directory of earlier reports to compare with")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the decision as JSON")
	return cmd
}

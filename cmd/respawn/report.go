package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

func newReport() *cobra.Command {
	var out, baseline string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "report HISTORY|DIR",
		Short: "Judge a saved history again and write its reports",
		Long: `Judge a history that 'respawn run' left (DIR/NAME, or DIR/NAME/history.jsonl) and write report.html,
report.json, junit.xml and summary.md beside it. The same history gives the same verdict,
on any machine. Exits with the verdict's code, and with 2 if the history is cut short or was
edited: the report is then of what there is, and at best INCONCLUSIVE.`,
		Example: "  respawn report respawn-out/random-kill",
		Args:    needs("which history?", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			args[0] = scenarios.HistoryIn(args[0])
			if _, err := os.Stat(args[0]); err != nil {
				return usage("%w", err)
			}
			if out == "" {
				out = filepath.Dir(args[0])
			}
			if err := writable(out); err != nil {
				return usage("--out: %w", err)
			}
			r, broken := reports.Judge(args[0])
			if r == nil {
				return usage("%w", broken)
			}
			var before []*reports.Report
			var err error
			if baseline != "" {
				if before, err = reports.LoadAll(baseline); err != nil {
					return usage("%w", err)
				}
			}
			if err := r.Write(out, before); err != nil {
				return usage("%w", err)
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), r)
			} else {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s: %s\n  report: %s\n", r.Verdict, printable(r.Scenario),
					printable(r.Cause), filepath.Join(out, "report.html"))
				if line := r.Against(before); line != "" && err == nil {
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "  %s\n", printable(line))
				}
			}
			if err == nil && broken != nil {
				return usage("%w: the report is of what there is", broken)
			}
			if code := r.Verdict.ExitCode(); err == nil && code != 0 {
				return &exitError{code: code}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for the reports (default: the history's)")
	cmd.Flags().StringVar(&baseline, "baseline", "", "directory of earlier reports to compare with")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/scenarios"
)

func newReplay() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "replay HISTORY|DIR",
		Short: "Inject the recorded trace of a run again",
		Long: `Run the scenario of a history, or of a run's directory, again with its recorded trace: the same faults at the same
times on the same ranks, whatever the seed would plan now. Injections that found no victim are left
out. The reports go to DIR/NAME. A history does not tell where its scenario lay: a driver's relative
command is taken from here. A run of a target that a test made itself cannot be replayed.`,
		Example: "  respawn replay respawn-out/random-kill/history.jsonl --out replayed",
		Args:    needs("which history?", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			args[0] = scenarios.HistoryIn(args[0])
			run, err := scenarios.ReadReplay(args[0], scenarios.Options{NoExec: f.noExec})
			if err != nil {
				return usage("%w", err)
			}
			if err := f.consented(cmd, []*scenarios.Scenario{run.Scenario}); err != nil {
				if errors.Is(err, errDry) {
					return nil
				}
				return err
			}
			f.repeat.times = 1
			if err := roomFor([]*scenarios.Scenario{run.Scenario}, f); err != nil {
				return usage("--out: %w", err)
			}
			if run.Left > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d of its injections found no victim: they are left out\n",
					run.Scenario.Name, run.Left)
			}
			o := scenarios.RunOptions{
				Dir: filepath.Join(f.out, run.Scenario.Name), Seed: run.Seed, Shots: run.Shots,
				Command: "respawn replay " + scenarios.QuotedPath(args[0]),
			}
			if f.attach {
				o.Consent = f.consent
			}
			r, err := runOne(cmd, run.Scenario, o, f.asJSON)
			if err != nil {
				return err
			}
			if code := r.Verdict.ExitCode(); code != 0 {
				return &exitError{code: code}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&f.out, "out", "respawn-replay", "directory for the reports")
	cmd.Flags().BoolVar(&f.noExec, "no-exec", false, "refuse scenarios that start a program of their own")
	f.add(cmd)
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print the report as JSON, and no progress")
	return cmd
}

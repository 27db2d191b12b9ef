package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/workers/check"
)

func newWorker() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "Work with workers in other languages",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q for %q: %s", args[0], cmd.CommandPath(), nearest.Meant(args[0], []string{"check"}))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newWorkerCheck())
	return cmd
}

func newWorkerCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check COMMAND [ARG...]",
		Short: "Say what a worker does wrong, and where",
		Long: `Starts a worker as pool.Config.Command would, some times, tries everything that docs/wire.md
asks of it, and lists what it does wrong with the frame that shows it. Nothing of it is left
running. Exits with 0 if nothing is wrong, 1 if something is, 2 if there is no such command.`,
		Example: "  respawn worker check python3 worker.py",
		Args:    needs("which worker?", true),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := check.Check(cmd.Context(), check.Command{Argv: args})
			var missing *foreign.NotInstalledError
			var wrong *foreign.CommandError
			if errors.As(err, &missing) || errors.As(err, &wrong) {
				return usage("%w", err)
			}
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), map[string]any{"ok": report.OK(), "report": report})
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), report)
			}
			if err == nil && !report.OK() {
				err = fail("the worker breaks the protocol: %s, see docs/wire.md", findings(len(report.Violations())))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().SetInterspersed(false) // what follows the command is its own
	return cmd
}

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

func newDriver() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "driver",
		Short: "Work with drivers of pools that were written elsewhere",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q for %q: %s", args[0], cmd.CommandPath(), nearest.Meant(args[0], []string{"check"}))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newDriverCheck())
	return cmd
}

func findings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprint(n, " findings")
}

func newDriverCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check COMMAND [ARG...]",
		Short: "Say what a driver does wrong, and where",
		Long: `Starts a driver twice, tries everything that docs/drivers.md asks of it, and lists what it
does wrong with the line of its output that shows it. Nothing of it is left running. Exits with
0 if nothing is wrong, 1 if something is, 2 if the driver or what it wraps is not installed.`,
		Example: "  respawn driver check python3 scenarios/drivers/multiprocessing_pool.py",
		Args:    needs("which driver?", true),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := driver.Check(cmd.Context(), driver.Command{Argv: args})
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
				err = fail("the driver breaks the protocol: %s, see docs/drivers.md", findings(len(report.Violations())))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().SetInterspersed(false) // what follows the command is its own
	return cmd
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/workers/check"
)

// protocol is one that programs of others speak, and against which they are checked.
type protocol struct {
	who, short   string // who speaks it: the command's name
	long, sample string // of the check's help: what it does, and an argument
	page         string
	check        func(ctx context.Context, argv []string) (report, error)
}

// report is what a check found.
type report interface {
	OK() bool
	Count() int
	String() string
}

func newDriver() *cobra.Command {
	return newProtocol(protocol{
		who: "driver", short: "Work with drivers of pools that were written elsewhere",
		long: `Starts a driver twice, tries everything that docs/drivers.md asks of it, and lists what it
does wrong with the line of its output that shows it. Nothing of it is left running. Exits with
0 if nothing is wrong, 1 if something is, 2 if the driver or what it wraps is not installed.`,
		sample: "python3 scenarios/drivers/multiprocessing_pool.py", page: "docs/drivers.md",
		check: func(ctx context.Context, argv []string) (report, error) {
			return driver.Check(ctx, driver.Command{Argv: argv})
		},
	})
}

func newWorker() *cobra.Command {
	return newProtocol(protocol{
		who: "worker", short: "Work with workers in other languages",
		long: `Starts a worker as pool.Config.Command would, some times, tries everything that docs/wire.md
asks of it, and lists what it does wrong with the frame that shows it. Nothing of it is left
running. Exits with 0 if nothing is wrong, 1 if something is, 2 if there is no such command.`,
		sample: "python3 worker.py", page: "docs/wire.md",
		check: func(ctx context.Context, argv []string) (report, error) {
			return check.Check(ctx, check.Command{Argv: argv})
		},
	})
}

func newProtocol(p protocol) *cobra.Command {
	cmd := &cobra.Command{
		Use:   p.who,
		Short: p.short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q for %q: %s", args[0], cmd.CommandPath(),
					nearest.Meant(args[0], []string{"check"}))
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newCheck(p))
	return cmd
}

func newCheck(p protocol) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "check COMMAND [ARG...]",
		Short:   "Say what a " + p.who + " does wrong, and where",
		Long:    p.long,
		Example: "  respawn " + p.who + " check " + p.sample,
		Args:    needs("which "+p.who+"?", true),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := p.check(cmd.Context(), args)
			var missing *foreign.NotInstalledError
			var wrong *foreign.CommandError
			if errors.As(err, &missing) || errors.As(err, &wrong) {
				return usage("%w", err)
			}
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), map[string]any{"ok": r.OK(), "report": r})
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), r)
			}
			if err == nil && !r.OK() {
				err = fail("the %s breaks the protocol: %s, see %s", p.who, findings(r.Count()), p.page)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().SetInterspersed(false) // what follows the command is its own
	return cmd
}

func findings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprint(n, " findings")
}

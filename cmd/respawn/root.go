package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/respawn-go/respawn/internal/nearest"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// commands makes the subcommands, in the order of the help text. A new one is a file of its own and a line here.
var commands = []func() *cobra.Command{
	newRun,
	newValidate,
	newFmt,
	newSchema,
	newList,
	newReport,
	newReplay,
	newShrink,
	newExport,
	newGate,
	newDemo,
	newBench,
	newMatrix,
	newDriver,
	newWorker,
	newDoctor,
}

func newRoot() *cobra.Command {
	own.Version = version()
	root := &cobra.Command{
		Use:   "respawn",
		Short: "A process pool that loses nothing, and the chaos harness that proves it",
		Long: `respawn runs a pool of worker processes that survives the death of any of them, and a
harness that kills workers on purpose and judges what comes of it.

Exit codes: 0 pass, 1 fail, 2 usage or scenario error, 3 inconclusive, 4 aborted,
5 harness error, 130 interrupted.`,
		Example: `  respawn demo                kill a worker and watch the pool recover
  respawn list scenarios      the experiments that come with it
  respawn run random-kill     run one, judge it, and write its report
  respawn gate respawn-out    one decision over all reports there, for CI
  respawn bench --json        the pool against what this machine can do at best
  respawn doctor              what this host offers, and how to get what it lacks`,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       own.Version,
	}
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		var names []string
		for _, c := range root.Commands() {
			names = append(names, c.Name())
		}
		return usage("unknown command %q for %q: %s: run 'respawn --help'",
			args[0], cmd.CommandPath(), nearest.Meant(args[0], names))
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var bad *pflag.InvalidValueError
		if errors.As(err, &bad) {
			want := map[string]string{
				"uint64": "a whole number from 0", "int": "a whole number", "bool": "true or false",
				"N|until P%": "a number of runs, or 'until 95%'",
			}[bad.GetFlag().Value.Type()]
			return usage("--%s is %q: want %s: run '%s --help'", bad.GetFlag().Name, bad.GetValue(),
				cmp.Or(want, "another value"), cmd.CommandPath())
		}
		return usage("%w: run '%s --help'", err, cmd.CommandPath())
	})
	for _, make := range commands {
		root.AddCommand(harnessed(make()))
	}
	return root
}

// needs asks for one argument, or for one at least; otherwise it puts the question, and says how to answer it.
func needs(question string, several bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 || several && len(args) > 1 {
			return nil
		}
		if len(args) > 1 {
			question = fmt.Sprintf("one argument is wanted, not %d:", len(args))
		}
		return usage("%s %s: run '%s --help'", question, strings.TrimSuffix(cmd.UseLine(), " [flags]"),
			cmd.CommandPath())
	}
}

// version is what the Go command recorded of the module when it built this program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// harnessed gives a command's errors a code: those without one are the harness's own, since cobra returns what is wrong
// with the command line by itself.
func harnessed(cmd *cobra.Command) *cobra.Command {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			if e := (*exitError)(nil); err != nil && !errors.As(err, &e) {
				return &exitError{exitHarness, fmt.Errorf("%s: %w", cmd.Name(), err)}
			}
			return err
		}
	}
	for _, sub := range cmd.Commands() {
		harnessed(sub)
	}
	return cmd
}

package main

import (
	"fmt"
	"os"
	"runtime/pprof"
	"strings"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/cmd/respawn/internal/bench"
)

func newBench() *cobra.Command {
	var o bench.Options
	var asJSON bool
	var profile string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the pool against what this machine can do at best",
		Long: `Measures the pool and, in the same run, floors: what raw code does on this machine without
any pool. Absolute figures move with the machine, ratios hold. Each figure is the median
over the runs. All of it takes about two minutes on two cores.

Exits with 1 when a result is wrong (a task lost, a slot that stays empty), not when a
goal is missed: that depends on the machine too.`,
		Example: "  respawn bench\n  respawn bench --only roundtrip,recovery --runs 9\n" +
			"  respawn bench --json >figures.json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Runs < 1 {
				return usage("--runs is %d: want at least 1", o.Runs)
			}
			if err := o.Validate(); err != nil {
				return usage("--only: %w", err)
			}
			o.Tell = func(format string, args ...any) {
				fmt.Fprintf(cmd.ErrOrStderr(), "respawn bench: "+format+"\n", args...)
			}
			stop, err := startProfile(profile)
			if err != nil {
				return err
			}
			r, err := bench.Run(cmd.Context(), o)
			stop()
			if err != nil {
				return err
			}
			if asJSON {
				err = writeJSON(cmd.OutOrStdout(), r)
			} else {
				err = r.Table(cmd.OutOrStdout())
			}
			if err == nil && len(r.Problems) > 0 {
				return fail("wrong results: %s", strings.Join(r.Problems, "; "))
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.Only, "only", nil,
		"measure these groups only: "+strings.Join(bench.Names(), ", "))
	f.IntVar(&o.Runs, "runs", 5, "runs that each median is over")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the victims' order")
	f.StringVar(&profile, "cpuprofile", "", "write a CPU profile of this process, the parent, to the file")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	_ = cmd.RegisterFlagCompletionFunc("only",
		cobra.FixedCompletions(bench.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// startProfile profiles this process until stop is called; "" is for none.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, usage("--cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

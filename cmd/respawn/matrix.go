package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/matrix"
)

func newMatrix() *cobra.Command {
	var o matrix.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "matrix",
		Short: "Run the same storms against every installed pool and server",
		Long: `Runs scenarios of the library against this project's pool, the pools behind the drivers in
scenarios/drivers, and preforking servers, and prints what became of each: were as many
workers there again, were they new, did every slot answer, what became of the tasks.
What is not installed is named with the command that installs it.

Leaves OUT/TARGET/SCENARIO/report.html for each cell, and OUT/matrix.{html,md,json}.
Exits with 0 once everything was measured, whatever the other pools did, and with 1 if this
project's pool broke a promise.`,
		Example: `  respawn matrix
  respawn matrix --targets respawn,multiprocessing --scenario kill-each-idle --repeat 5
  respawn matrix --targets 'respawn,mine=node my_pool.mjs'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMatrix(cmd, o, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Family, "family", "", "which targets: "+strings.Join(matrix.Families(), ", ")+" (default the first)")
	f.StringSliceVar(&o.Targets, "targets", nil, "some of "+strings.Join(matrix.Targets(""), ", ")+
		" or of another family (default all), or NAME=COMMAND for a driver of your own")
	f.StringSliceVar(&o.Scenarios, "scenario", nil, "scenarios of the family or of the library (default "+
		strings.Join(matrix.Scenarios(""), ", ")+", or all of another family)")
	f.StringVar(&o.Out, "out", "respawn-matrix", "directory for the reports")
	f.IntVar(&o.Repeat, "repeat", 1, "run each cell so often, with one seed after another")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the first run of each cell")
	f.BoolVar(&asJSON, "json", false, "print the matrix as one JSON object, and no progress")
	return cmd
}

func runMatrix(cmd *cobra.Command, o matrix.Options, asJSON bool) error {
	if o.Repeat < 1 {
		return usage("--repeat is %d: want 1 or more", o.Repeat)
	}
	if err := writable(o.Out); err != nil {
		return usage("--out: %w", err)
	}
	o.Command = matrixCommand(o)
	out := cmd.OutOrStdout()
	if !asJSON {
		var one sync.Mutex // several tell at once
		o.Progress = func(target, scenario string, r *reports.Report) {
			one.Lock()
			defer one.Unlock()
			if r != nil {
				fmt.Fprintf(out, "%-16s %-16s %6s  %s: %s\n", target, scenario,
					reports.Value("tasks.wall", r.DurationS), r.Verdict, printable(r.Cause))
			}
		}
	}
	m, err := matrix.Run(cmd.Context(), o)
	var unknown *matrix.UnknownTargetError
	var family *matrix.UnknownFamilyError
	var problems scenarios.Problems
	switch {
	case errors.As(err, &unknown), errors.As(err, &family), errors.As(err, &problems):
		return usage("%w", err)
	case err != nil:
		return err
	}
	if err := printMatrix(out, m, o, asJSON); err != nil {
		return err
	}
	return ourVerdict(m)
}

func printMatrix(w io.Writer, m *reports.Matrix, o matrix.Options, asJSON bool) error {
	if asJSON {
		return m.JSON(w)
	}
	fmt.Fprintln(w)
	if err := m.Text(w, room(w)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nall reports: %s/matrix.html\n", o.Out)
	return err
}

// ourVerdict is an error when this project's pool did not pass.
func ourVerdict(m *reports.Matrix) error {
	for _, t := range m.Targets {
		for i := range t.Cells {
			c := &t.Cells[i]
			if code := c.Verdict().ExitCode(); m.Family == "pools" && t.Name == "respawn" && code != exitPass {
				return &exitError{
					code, fmt.Errorf("%s: this project's pool: %s: %s", c.Scenario, c.Verdict(), c.Cause()),
				}
			}
		}
	}
	return nil
}

// matrixCommand is the command line that repeats it.
func matrixCommand(o matrix.Options) string {
	words := []string{"respawn", "matrix"}
	if o.Family != "" {
		words = append(words, "--family", o.Family)
	}
	if len(o.Targets) > 0 {
		words = append(words, "--targets", scenarios.Quoted(strings.Join(o.Targets, ",")))
	}
	if len(o.Scenarios) > 0 {
		words = append(words, "--scenario", scenarios.Quoted(strings.Join(o.Scenarios, ",")))
	}
	if o.Repeat > 1 {
		words = append(words, fmt.Sprintf("--repeat %d", o.Repeat))
	}
	if o.Seed > 1 {
		words = append(words, fmt.Sprintf("--seed %d", o.Seed))
	}
	return strings.Join(words, " ")
}

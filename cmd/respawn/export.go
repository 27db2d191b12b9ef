package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/export"
	"github.com/respawn-go/respawn/scenarios"
)

// exportFormats are what export writes, with what it is.
var exportFormats = []string{"prometheus", "otlp", "csv", "grafana"}

func newExport() *cobra.Command {
	var to, out string
	var tasks int
	cmd := &cobra.Command{
		Use:   "export HISTORY|DIR --to FORMAT",
		Short: "Write a run for Prometheus, OpenTelemetry, a spreadsheet or Grafana",
		Long: `Write what a history tells in a language that others read:

  prometheus  every figure of the report, the recoveries as a histogram, and the verdict, as text
  otlp        one trace: faults with their recoveries, workers, tasks with their attempts, as OTLP/JSON
  csv         the same, a row each
  grafana     annotations, one JSON object a line, as POST /api/annotations takes them

Of the tasks that ended well at their first attempt 1,000 are kept (--tasks), of the others all.`,
		Example: `  respawn export respawn-out/random-kill --to otlp | curl -H 'Content-Type: application/json' -d @- localhost:4318/v1/traces
  respawn export respawn-out/random-kill --to prometheus --out textfile/respawn.prom`,
		Args: needs("which history?", false),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(exportFormats, to) {
				return usage("--to is %q: want one of %s", to, strings.Join(exportFormats, ", "))
			}
			write, left, err := exporter(scenarios.HistoryIn(args[0]), to, tasks)
			if err != nil {
				return usage("%w", err)
			}
			if left > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(),
					"%s that ended well at the first attempt are left out: --tasks -1 keeps all\n",
					counted(left, "task"))
			}
			if out == "" {
				return write(cmd.OutOrStdout())
			}
			if err := reports.Writable(out); err != nil {
				return usage("--out: %w", err)
			}
			return reports.WriteFile(out, write)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "format: "+strings.Join(exportFormats, ", "))
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	cmd.Flags().IntVar(&tasks, "tasks", 1000, "how many tasks that ended well at their first attempt to keep; -1: all")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.FixedCompletions(exportFormats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// exporter reads a history and says how it is written, and how many tasks are left out.
func exporter(path, to string, tasks int) (write func(io.Writer) error, left int, err error) {
	if to == "prometheus" {
		r, err := reports.Judge(path)
		if err != nil {
			return nil, 0, err
		}
		return func(w io.Writer) error { return export.Prometheus(w, r) }, 0, nil
	}
	r, err := export.Read(path, tasks)
	if err != nil {
		return nil, 0, err
	}
	switch to {
	case "otlp":
		return r.OTLP, r.Left, nil
	case "csv":
		return r.CSV, r.Left, nil
	}
	return r.Grafana, r.Left, nil
}

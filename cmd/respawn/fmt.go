package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/scenarios"
)

func newFmt() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt FILE…",
		Short: "Write scenario files in their canonical form",
		Long: `Write scenario files in their canonical form: keys in the order of the format's page, two spaces of indent, comments kept.
Their meaning stays. The files that changed are named. With --check nothing is written, and the exit code is 1 if a file would
change. "-" reads standard input and writes standard output. A file that is not YAML is an error with its place, and stays as it is.`,
		Example: "  respawn fmt scenarios/*.yaml\n  respawn fmt --check scenarios/*.yaml   # in CI",
		Args:    needs("which files?", true),
		RunE: func(cmd *cobra.Command, args []string) error {
			changed := 0
			for _, file := range args {
				differs, err := format(cmd, file, check)
				if err != nil {
					return err
				}
				if differs {
					changed++
				}
			}
			if check && changed > 0 {
				return fail("%d of %d files are not in canonical form: run respawn fmt on them", changed, len(args))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit code 1 if a file would change")
	return cmd
}

// format brings one file into its canonical form, and tells whether it differed.
func format(cmd *cobra.Command, file string, check bool) (differs bool, err error) {
	var text []byte
	if file == "-" {
		text, err = io.ReadAll(cmd.InOrStdin())
	} else {
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return false, &exitError{exitUsage, err}
	}
	out, err := scenarios.Format(file, text)
	if err != nil {
		return false, &exitError{exitUsage, err}
	}
	differs = !bytes.Equal(text, out)
	if file == "-" && !check {
		_, err = cmd.OutOrStdout().Write(out)
		return differs, err
	}
	if !differs {
		return false, nil
	}
	if !check {
		err = reports.WriteFile(file, func(w io.Writer) error {
			_, err := w.Write(out)
			return err
		})
	}
	_, said := fmt.Fprintln(cmd.OutOrStdout(), file)
	return true, errors.Join(err, said)
}

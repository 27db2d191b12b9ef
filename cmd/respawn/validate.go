package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/scenarios"
)

func newValidate() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:   "validate FILE|NAME…",
		Short: "Check scenario files without running anything",
		Long: `Check scenario files, their short forms included. Every mistake is a line of its own:
FILE:LINE:COLUMN: what is wrong and what would be right. Nothing is executed.`,
		Example:           "  respawn validate scenarios/*.yaml",
		Args:              needs("which scenarios?", true),
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := readScenarios(cmd.ErrOrStderr(), args, scenarios.Options{Set: set})
			if err != nil {
				return err
			}
			for i, s := range list {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s is valid\n", args[i], s.Name)
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "change a key first: path=value")
	return cmd
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of scenario files",
		Long:    "Print the JSON Schema of scenario files, for editors that complete and check YAML.",
		Example: "  respawn schema > scenario.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(scenarios.Schema())
			return err
		},
	}
}

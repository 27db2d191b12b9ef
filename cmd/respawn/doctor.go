package main

import (
	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/cmd/respawn/internal/doctor"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this host offers, and what to do about what it lacks",
		Long: `Tries what the pool and the chaos harness use of a host: pidfds, cgroups of version 1 and 2,
limits, namespaces, and the programs that other pools' drivers need. Exits with 0: a host
that lacks something is told what goes without it.`,
		Example: "  respawn doctor\n  respawn doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks := doctor.Examine(cmd.Context())
			if !asJSON {
				return doctor.Table(cmd.OutOrStdout(), room(cmd.OutOrStdout()), checks)
			}
			return writeJSON(cmd.OutOrStdout(), map[string]any{"checks": checks})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

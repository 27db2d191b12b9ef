package main

import (
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
)

func nodeCommand() *cobra.Command {
	var r reach
	var n fleet.Node
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a node with the built-in tasks",
		Long: `node serves the fleet's tasks in a pool of worker processes until Ctrl-C or SIGTERM, or until it is drained. Then it finishes
what runs, gives the rest back, and nobody is blamed for it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := r.get()
			n.Fleet, n.Servers, n.Options = c.Fleet, c.Servers, c.Options
			n.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
			return fleet.Serve(cmd.Context(), n)
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&n.Name, "name", "", "a label, not two alive on one host (default: the host's name)")
	cmd.Flags().IntVar(&n.Pool.Size, "workers", 0, "worker processes (default: one for each CPU)")
	cmd.Flags().DurationVar(&n.Grace, "grace", 30*time.Second, "for what runs when it is told to stop")
	return cmd
}

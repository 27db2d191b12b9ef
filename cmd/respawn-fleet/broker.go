package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet/broker"
)

func brokerCommand() *cobra.Command {
	var c broker.Config
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run a broker: a NATS server with JetStream",
		Long: `broker runs a NATS server with JetStream until Ctrl-C or SIGTERM. With --dir its queue survives a restart; without, it
does not, and owners publish again what it has lost. Any nats-server from 2.10.23 with JetStream does as well.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := broker.Start(c)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "broker:", b.URL())
			<-cmd.Context().Done()
			return b.Close()
		},
	}
	cmd.Flags().StringVar(&c.Host, "host", "127.0.0.1", "the address to listen on")
	cmd.Flags().IntVar(&c.Port, "port", 4222, "the port; -1 takes any that is free")
	cmd.Flags().StringVar(&c.Dir, "dir", "", "where the queue is kept (default: a temporary directory)")
	return cmd
}

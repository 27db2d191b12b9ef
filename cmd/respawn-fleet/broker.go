package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet/broker"
)

func brokerCommand() *cobra.Command {
	var c broker.Config
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run a broker: a NATS server with JetStream",
		Long: `broker runs a NATS server with JetStream until Ctrl-C or SIGTERM. With --dir its queue survives a restart; without, it
does not, and owners publish again what it has lost. Any nats-server from 2.10.23 with JetStream does as well.

Three with --join are a cluster, which loses nothing with one of them; owners then set Replicas to 3. On each machine:

  respawn-fleet broker --name a --host 10.0.0.1 --dir /var/lib/respawn --join 10.0.0.1:6222,10.0.0.2:6222,10.0.0.3:6222`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			if err := c.Validate(); err != nil {
				return &usageError{err}
			}
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
	cmd.Flags().IntVar(&c.Monitor, "monitor", 0,
		"a port for nats-server's monitoring over HTTP, which respawn-fleet doctor reads (default: none)")
	cmd.Flags().StringVar(&c.Dir, "dir", "", "where the queue is kept (default: a temporary directory)")
	cmd.Flags().StringVar(&c.File, "config", "", "a configuration file of nats-server's: TLS, accounts, users, limits")
	cmd.Flags().StringSliceVar(&c.Join, "join", nil,
		"the cluster addresses, host:port, of all brokers of a cluster, 3 or 5")
	cmd.Flags().StringVar(&c.Name, "name", "",
		"in its cluster, the same after a restart (default: the host's name and the port)")
	cmd.Flags().StringVar(&c.Cluster, "cluster", "", "where it listens to the others (default: --host and port 6222)")
	cmd.Flags().Int64Var(&c.MaxMemory, "max-memory", 256<<20, "bytes that queues may take in memory")
	cmd.Flags().Int64Var(&c.MaxStore, "max-store", 1<<30, "bytes that queues may take in files")
	return cmd
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/localfleet"
)

func upCommand() *cobra.Command {
	var c localfleet.Config
	var once bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "A fleet on this machine: brokers and nodes in processes of their own that are started again",
		Long: `up starts a broker, or a cluster of three, and nodes, each in a process of its own, runs a thousand tasks through them, says how
to reach the fleet, and keeps it up until Ctrl-C: what ends is started again under its name.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.Nodes < 1 || c.Workers < 1 || c.Brokers != 1 && c.Brokers != 3 && c.Brokers != 5 {
				return &usageError{
					fmt.Errorf("--nodes %d --workers %d --brokers %d: want at least one of each, and 1, 3 or 5 brokers",
						c.Nodes, c.Workers, c.Brokers),
				}
			}
			return up(cmd.Context(), cmd.OutOrStdout(), c, once)
		},
	}
	cmd.Flags().IntVar(&c.Nodes, "nodes", 2, "node processes")
	cmd.Flags().IntVar(&c.Workers, "workers", 2, "worker processes of each")
	cmd.Flags().IntVar(&c.Brokers, "brokers", 1, "broker processes: 1, 3 or 5, which all keep the queue")
	cmd.Flags().IntVar(&c.Port, "port", -1, "the first broker's port; -1 takes any that is free")
	cmd.Flags().BoolVar(&once, "once", false, "end when the thousand tasks are done")
	return cmd
}

func up(ctx context.Context, w io.Writer, c localfleet.Config, once bool) (err error) {
	c.InMemory, c.Keep, c.Output = c.Brokers == 1, true, os.Stderr
	c.Logger = slog.New(slog.NewTextHandler(w, nil))
	local, err := localfleet.Start(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	fmt.Fprintf(w, "broker: %s\n", local.Servers())
	if c.Brokers > 1 {
		fmt.Fprintln(w, "they choose their leaders, which takes some seconds")
	}
	f, err := fleet.Dial(ctx, local.Config())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := make([]int, 1000)
	for i := range in {
		in[i] = i
	}
	began := time.Now()
	out, err := square.Map(ctx, f, in)
	if err != nil {
		return err
	}
	for i, v := range out {
		if v != i*i {
			return fmt.Errorf("the square of %d is not %d", i, v)
		}
	}
	fmt.Fprintf(w, "1000 tasks in %v, the nodes' start included\n", time.Since(began).Round(time.Millisecond))
	for _, n := range f.Nodes() {
		fmt.Fprintf(w, "  %-10s %d workers, %s\n", n.Name, n.Workers, n.State)
	}
	if once {
		return nil
	}
	fmt.Fprintf(w, "it is up until Ctrl-C. Look at it:  respawn-fleet status --servers %s\n",
		strings.TrimSpace(local.Servers()))
	<-ctx.Done()
	fmt.Fprintln(w, "going down")
	return nil
}

// Command respawn-fleet runs the parts of a fleet: brokers, nodes, and a look at both.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/pool"
)

// The exit codes of every subcommand.
const (
	exitFail  = 1
	exitUsage = 2
)

func main() {
	pool.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := root().ExecuteContext(ctx)
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "respawn-fleet:", err)
		os.Exit(exitUsage)
	case err != nil:
		fmt.Fprintln(os.Stderr, "respawn-fleet:", err)
		os.Exit(exitFail)
	}
}

// usageError is a command line that says nothing sensible: see exitUsage.
type usageError struct{ error }

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "respawn-fleet",
		Short: "The same tasks over many machines: brokers, nodes, and a look at both",
		Long: `respawn-fleet runs the parts of a fleet. A broker keeps the queue, nodes run tasks in pools of worker
processes, and programs that import package fleet submit them.

  respawn-fleet up                                  a broker and two nodes on this machine, until Ctrl-C
  respawn-fleet broker --host 0.0.0.0 --dir /var/lib/respawn
  respawn-fleet node --servers nats://queue:4222    a node that knows the built-in tasks only; your own program
                                                    serves its own with fleet.Serve
  respawn-fleet status                              who is there, and what waits`,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.NoArgs,
	}
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; %s --help lists the flags", err, c.CommandPath())}
	})
	cmd.AddCommand(upCommand(), brokerCommand(), nodeCommand(), statusCommand(), drainCommand(), pauseCommand(),
		resumeCommand(), purgeCommand(), doctorCommand(), benchCommand(), targetCommand())
	return cmd
}

// reach is how a fleet is found.
type reach struct {
	config fleet.Config
	creds  string
}

func (r *reach) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.config.Fleet, "fleet", "respawn", "the fleet's name")
	c.Flags().StringVar(&r.config.Servers, "servers", "nats://127.0.0.1:4222", "the brokers' URLs, separated by commas")
	c.Flags().StringVar(&r.creds, "creds", "", "a file of NATS credentials")
}

func (r *reach) get() fleet.Config {
	c := r.config
	if r.creds != "" {
		c.Options = append(c.Options, credentials(r.creds))
	}
	return c
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
)

func statusCommand() *cobra.Command {
	var r reach
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Who is there, and what waits",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := fleet.ReadStatus(cmd.Context(), r.get())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			printStatus(cmd.OutOrStdout(), s)
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printStatus(w io.Writer, s *fleet.Status) {
	fmt.Fprintf(w, "fleet %s: %d stored, %d of them at nodes (queue in %s, %d broker, NATS %s, %v away)\n",
		s.Fleet, s.Stored, s.AtNodes, s.Storage, s.Kept, s.Broker, time.Duration(s.RTT).Round(10*time.Microsecond))
	if len(s.Nodes) == 0 {
		fmt.Fprintln(w, "no node is there: respawn-fleet node starts one")
	}
	for _, n := range s.Nodes {
		fmt.Fprintf(w, "  %-20s %3d workers  %s\n", n.Name, n.Workers, n.ID)
	}
}

func drainCommand() *cobra.Command {
	var r reach
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Have a node finish what runs, take nothing new, and end",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("drain wants one node's name: respawn-fleet status lists them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := fleet.Drain(cmd.Context(), r.get(), args[0])
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "told %d to drain\n", n)
			}
			return err
		},
	}
	r.flags(cmd)
	return cmd
}

func doctorCommand() *cobra.Command {
	var r reach
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Can a fleet live on this broker?",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := fleet.Dial(cmd.Context(), r.get())
			if err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			s, err := fleet.ReadStatus(cmd.Context(), r.get())
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "ok    the broker answers in %v, version %s\n", time.Duration(s.RTT).Round(10*time.Microsecond), s.Broker)
			fmt.Fprintln(w, "ok    the queue can be made, read and written")
			if skew := time.Duration(s.Skew); skew.Abs() > time.Second {
				fmt.Fprintf(w, "note  the broker's clock is %v off this machine's; no task depends on that, logs are harder to read\n", skew.Round(time.Second))
			}
			if s.Kept == 1 {
				fmt.Fprintln(w, "note  one broker keeps the queue: while it is away nothing is handed out; what it forgets is published again")
			}
			if len(s.Nodes) == 0 {
				fmt.Fprintln(w, "note  no node is there: respawn-fleet node starts one")
			}
			return nil
		},
	}
	r.flags(cmd)
	return cmd
}

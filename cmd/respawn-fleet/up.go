package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
)

func upCommand() *cobra.Command {
	var nodes, workers, port int
	var once bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "A fleet on this machine: a broker, and nodes in processes of their own that are started again",
		Long: `up starts a broker in this process and nodes in processes of their own, runs a thousand tasks through them, says how to reach
the fleet, and keeps it up until Ctrl-C: a node that ends is started again under its name.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if nodes < 1 || workers < 1 {
				return &usageError{fmt.Errorf("--nodes %d --workers %d: want at least one of each", nodes, workers)}
			}
			return up(cmd.Context(), cmd.OutOrStdout(), nodes, workers, port, once)
		},
	}
	cmd.Flags().IntVar(&nodes, "nodes", 2, "node processes")
	cmd.Flags().IntVar(&workers, "workers", 2, "worker processes of each")
	cmd.Flags().IntVar(&port, "port", -1, "the broker's port; -1 takes any that is free")
	cmd.Flags().BoolVar(&once, "once", false, "end when the thousand tasks are done")
	return cmd
}

func up(ctx context.Context, w io.Writer, nodes, workers, port int, once bool) (err error) {
	b, err := broker.Start(broker.Config{Port: port})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	fmt.Fprintln(w, "broker:", b.URL())
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	for i := range nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			keep(ctx, w, b.URL(), fmt.Sprintf("node-%d", i+1), workers)
		}()
	}
	f, err := fleet.Dial(ctx, fleet.Config{Fleet: "respawn", Servers: b.URL(), InMemory: true})
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
	fmt.Fprintf(w, "it is up until Ctrl-C. Look at it:  respawn-fleet status --servers %s\n", b.URL())
	<-ctx.Done()
	fmt.Fprintln(w, "going down")
	return nil
}

// keep runs a node, and another one when it ends, until ctx does. It waits for the last one.
func keep(ctx context.Context, w io.Writer, url, name string, workers int) {
	for pause := 100 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		began := time.Now()
		self, err := os.Executable()
		if err != nil {
			fmt.Fprintln(w, name+":", err)
			return
		}
		cmd := exec.CommandContext(ctx, self, "node", "--servers", url, "--name", name, "--workers", fmt.Sprint(workers))
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this process, which tells its nodes
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 40 * time.Second
		err = cmd.Run()
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(w, "%s ended (%v) and is started again\n", name, err)
		if time.Since(began) > 10*time.Second {
			pause = 100 * time.Millisecond
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

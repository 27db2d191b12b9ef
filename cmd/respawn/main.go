// Command respawn shows the pool, measures it, and runs the chaos harness against it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/respawn-go/respawn/cmd/respawn/internal/early" // serves workers before the rest is initialised
	"github.com/respawn-go/respawn/pool"
)

func main() {
	pool.Main() // early has called it: here for the reader, and for the day when it is not
	os.Exit(run(os.Args[1:]))
}

// run runs the command line and returns the exit code. The first Ctrl-C, SIGTERM or SIGHUP (the terminal was
// closed) ends what is running in order, the second one at once.
func run(args []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		s := <-signals
		signal.Stop(signals) // the next one does what it does by default
		cancel(stopped{s})
	}()
	root := newRoot()
	root.SetArgs(args)
	out := &output{file: os.Stdout}
	root.SetOut(out)
	return exitCode(ctx, out.lost(root.ExecuteContext(ctx)), os.Stderr)
}

// stopped is why the context of a command ended.
type stopped struct{ by os.Signal }

func (s stopped) Error() string {
	if s.by == os.Interrupt {
		return "stopped by Ctrl-C"
	}
	if s.by == syscall.SIGHUP {
		return "stopped by SIGHUP"
	}
	return "stopped by SIGTERM"
}

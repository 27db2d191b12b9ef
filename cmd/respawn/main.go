// Command respawn shows the pool, measures it, and runs the chaos harness against it.
package main

import (
	"context"
	"os"

	_ "github.com/respawn-go/respawn/cmd/respawn/internal/early" // serves workers before the rest is initialised
	"github.com/respawn-go/respawn/pool"
)

func main() {
	// early has called it for workers; here are the roles that need the rest of the program, such as a driver's
	pool.Main()
	os.Exit(run(os.Args[1:]))
}

// run runs the command line and returns the exit code.
func run(args []string) int {
	ctx := stoppable(context.Background())
	root := newRoot()
	root.SetArgs(args)
	out := &output{file: os.Stdout}
	root.SetOut(out)
	return exitCode(ctx, out.lost(root.ExecuteContext(ctx)), os.Stderr)
}

package pool_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"

	"github.com/respawn-go/respawn/pool"
)

var greet = pool.Register("example-greet", func(context.Context, int) (int, error) {
	fmt.Println("greetings from", os.Getenv("PLACE"))
	return 0, nil
})

// A worker's output is given to functions line by line. Without them it passes through to this process's own, with the
// worker's name before each line; pool.Discard drops it.
func ExampleConfig_output() {
	ctx := context.Background()
	said := make(chan string, 10)
	p, err := pool.New(ctx, pool.Config{
		Size:   1,
		Env:    []string{"PLACE=the cellar"},
		Dir:    os.TempDir(),
		Stdout: func(worker string, line []byte) { said <- worker + ": " + string(line) },
		Stderr: func(worker string, line []byte) { log.Printf("%s: %s", worker, line) },
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	if _, err := greet.Call(ctx, p, 0); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-said)
	// Output:
	// Worker-1: greetings from the cellar
}

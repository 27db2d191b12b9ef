package pool_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/respawn-go/respawn/pool"
)

// Workers are the executable that this process runs, even after its file was replaced. With its path in Program,
// Restart loads what is there by then: a deploy in place, one worker after the other.
func ExampleConfig_program() {
	ctx := context.Background()
	path, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	p, err := pool.New(ctx, pool.Config{Size: 2, Program: path})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	// … the file at path is replaced …
	fmt.Println("restarted:", p.Restart(ctx))
	// Output:
	// restarted: <nil>
}

package fleet_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/pool"
)

var cube = pool.Register("example-cube", func(_ context.Context, n int) (int, error) { return n * n * n, nil })

// A program is a node with one argument, which runs tasks in a pool of its own, and an owner without, whose calls go to
// all nodes. main calls pool.Main first.
func Example() {
	ctx, url := context.Background(), "nats://127.0.0.1:4222"
	if len(os.Args) > 1 && os.Args[1] == "node" {
		if err := fleet.Serve(ctx, fleet.Node{Fleet: "numbers", Servers: url, Pool: pool.Config{Size: 4}}); err != nil {
			log.Fatal(err)
		}
		return
	}
	f, err := fleet.Dial(ctx, fleet.Config{Fleet: "numbers", Servers: url})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	fmt.Println(cube.Call(ctx, f, 3))
}

// Where a look is enough, no owner is needed.
func ExampleReadStatus() {
	s, err := fleet.ReadStatus(context.Background(), fleet.Config{Fleet: "numbers", Servers: "nats://127.0.0.1:4222"})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range s.Nodes {
		fmt.Println(n.Name)
	}
}

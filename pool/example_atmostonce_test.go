package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/respawn-go/respawn/pool"
)

var launch = pool.Register("example-launch", func(context.Context, string) (int, error) {
	os.Exit(42)
	return 0, nil
})

// AtMostOnce never starts a task a second time: when its worker dies the caller is told how, and decides.
func ExampleWithDelivery() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 2, Delivery: pool.AtLeastOnce}) // the pool's default,
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = launch.Call(ctx, p, "rocket", pool.WithDelivery(pool.AtMostOnce)) // and this task's own
	var lost *pool.WorkerLostError
	if errors.As(err, &lost) {
		fmt.Println("attempts:", lost.Attempts, "exit code:", lost.Exits[0].Code)
	}
	// Output:
	// attempts: 1 exit code: 42
}

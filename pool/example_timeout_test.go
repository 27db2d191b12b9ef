package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/respawn-go/respawn/pool"
)

var spin = pool.Register("example-spin", func(context.Context, int) (int, error) {
	select {} // it never looks at its context, so only the end of its process stops it
})

// A timeout counts from the start of the task, not from its submission, and ends that one worker. Cancelling gives the
// handler CancelGrace to return by itself; a worker that answers no ping for a Heartbeat is replaced.
func ExampleWithTimeout() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{
		Size:        2,
		TaskTimeout: time.Minute,
		CancelGrace: 2 * time.Second,
		Heartbeat:   5 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	_, err = spin.Call(ctx, p, 0, pool.WithTimeout(50*time.Millisecond))
	var late *pool.TimeoutError
	if errors.As(err, &late) {
		fmt.Println(late)
	}
	v, err := shout.Call(ctx, p, "on we go")
	fmt.Println(v, err)
	// Output:
	// pool: task "example-spin" exceeded its timeout of 50ms and its worker was killed
	// ON WE GO! <nil>
}

package pool_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/respawn-go/respawn/pool"
)

var model string

// loadModel stands for what takes long and is done once in each worker.
var loadModel = pool.RegisterInit("example-load-model", func(_ context.Context, path string) error {
	model = "model of " + path
	return nil
})

var predict = pool.Register("example-predict", func(_ context.Context, in string) (string, error) {
	return model + " says: " + in, nil
})

// An initializer runs in each worker before its first task. Workers that do not come up are started again with growing
// pauses, and after some failures in a row only one at a time, until one stays up.
func ExampleRegisterInit() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{
		Size:        2,
		Initializer: loadModel.With("weights.bin"),
		BootTimeout: time.Minute,
		Backoff: pool.Backoff{
			Base:      200 * time.Millisecond,
			Max:       30 * time.Second,
			Threshold: 10,
			HalfLife:  20 * time.Second,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	v, err := predict.Call(ctx, p, "sunny")
	fmt.Println(v, err)
	// Output:
	// model of weights.bin says: sunny <nil>
}

package pool_test

import (
	"context"
	"fmt"
	"log"

	"github.com/respawn-go/respawn/pool"
)

var length = pool.Register("length", func(ctx context.Context, s string) (int, error) {
	return len(pool.Meta(ctx)["prefix"]) + len(s), nil
})

// Stats tells how long tasks took, and WithOutcome how one of them came to its end; WithMeta sends words along.
func ExampleWithOutcome() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 1, Measure: true})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	n, err := length.Call(ctx, p, "def",
		pool.WithMeta(map[string]string{"prefix": "abc"}),
		pool.WithOutcome(func(o pool.Outcome) { fmt.Println("attempts:", o.Attempts) }))
	fmt.Println(n, err)
	fmt.Println("counted:", p.Stats().Tasks["length"].Total.Count())
	// Output:
	// attempts: 1
	// 6 <nil>
	// counted: 1
}

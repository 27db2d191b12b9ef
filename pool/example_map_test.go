package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/respawn-go/respawn/pool"
)

var half = pool.Register("example-half", func(_ context.Context, n int) (int, error) {
	if n%2 != 0 {
		return 0, fmt.Errorf("%d is odd", n)
	}
	return n / 2, nil
})

// Map keeps the order of its inputs, runs all of them whatever happens to some, and says which ones failed.
func ExampleTask_Map() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	halves, err := half.Map(ctx, p, []int{2, 4, 7, 8})
	fmt.Println(halves)
	var item *pool.ItemError
	if errors.As(err, &item) {
		fmt.Println("failed:", item.Index, item.Err)
	}
	// Output:
	// [1 2 0 4]
	// failed: 2 7 is odd
}

package pool_test

import (
	"context"
	"fmt"
	"log"

	"github.com/respawn-go/respawn/pool"
)

// newlines reads its argument where it came in: nothing is copied for it in the worker.
var newlines = pool.Register("example-newlines", func(_ context.Context, text pool.Lent) (n int, err error) {
	for _, b := range text {
		if b == '\n' {
			n++
		}
	}
	return n, nil
})

// A handler that only reads large bytes borrows them. Its callers notice nothing.
func ExampleLent() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	text := make([]byte, 8<<20)
	for i := 99; i < len(text); i += 100 {
		text[i] = '\n'
	}
	fmt.Println(newlines.Call(ctx, p, text))
	// Output: 83886 <nil>
}

package pool_test

import (
	"bytes"
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

// upper reads its argument where it came in, and gives bytes back that a caller may read where they came in.
var upper = pool.Register("example-upper", func(_ context.Context, text pool.Lent) (pool.Lent, error) {
	return bytes.ToUpper(text), nil
})

// A caller that only reads a large result borrows it: nothing is copied for it here.
func ExampleBorrow() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	loan, err := pool.Borrow(ctx, p, upper, bytes.Repeat([]byte("ring "), 1<<20))
	if err != nil {
		log.Fatal(err)
	}
	defer loan.Release()
	fmt.Println(bytes.Count(loan.Bytes(), []byte("RING")))
	// Output: 1048576
}

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

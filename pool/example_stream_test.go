package pool_test

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"log"
	"strings"

	"github.com/respawn-go/respawn/pool"
)

var words = pool.Register("example-words", func(_ context.Context, line string) (int, error) {
	return len(strings.Fields(line)), nil
})

// lines is an input that may fail in the middle, as reading a file may.
func lines(r *bufio.Scanner) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for r.Scan() {
			if !yield(r.Text(), nil) {
				return
			}
		}
		if err := r.Err(); err != nil {
			yield("", err)
		}
	}
}

// Stream reads its input only as far ahead as the workers need, so the input may be endless and the consumer slow. A
// bounded queue does the same for submitters: with QueueBlock they wait for room, without it they get ErrQueueFull.
func ExampleTask_Stream() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 2, QueueLimit: 100, QueueBlock: true})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	text := bufio.NewScanner(strings.NewReader("one\nand two\nand then three\n"))
	for n, err := range words.Stream(ctx, p, lines(text)) {
		if err != nil {
			fmt.Println("failed:", err) // of one item: the stream goes on
			continue
		}
		fmt.Println(n)
	}
	// Output:
	// 1
	// 2
	// 3
}

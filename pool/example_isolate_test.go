package pool_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/respawn-go/respawn/pool"
)

// parse stands for a parser that hostile input can crash beyond recovery, as C code can.
var parse = pool.Register("example-parse", func(_ context.Context, input string) (int, error) {
	if input == "poison" {
		go func() { panic("corrupted heap") }()
		select {}
	}
	return len(input), nil
})

// What crashes, crashes alone: the poison task settles with every exit it caused, the others never notice. By default a
// task may crash three workers before it does, in case one crashed by chance; an input that is known to be hostile gets
// no second try from Budgets. HardMemory bounds what one worker may use, by a cgroup of its own or, with NoCgroup or
// where none can be had, by RLIMIT_DATA.
func ExampleWorkerLostError() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{
		Size:       2,
		Budgets:    pool.Budgets{Crashes: 1, OOM: 1},
		HardMemory: 2 * pool.GiB,
		NoCgroup:   true,
		MaxPayload: 16 * pool.MiB,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	lengths, err := parse.Map(ctx, p, []string{"good", "poison", "better"})
	fmt.Println(lengths)
	var lost *pool.WorkerLostError
	if errors.As(err, &lost) {
		fmt.Println("lost after", lost.Attempts, "attempts, the last by exit code", lost.Exits[len(lost.Exits)-1].Code)
	}
	// Output:
	// [4 0 6]
	// lost after 1 attempts, the last by exit code 2
}

package pool_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/respawn-go/respawn/pool"
)

var hoard [][]byte

// decode stands for a library that leaks.
var decode = pool.Register("example-decode", func(context.Context, int) (int, error) {
	hoard = append(hoard, make([]byte, 1<<20))
	return os.Getpid(), nil
})

// A worker is replaced between two tasks when it has done MaxTasks, is older than MaxAge, or is resident with more than
// SoftMemory. No task is lost by that.
func ExampleConfig_recycle() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{
		Size:       1,
		MaxTasks:   3,
		MaxAge:     time.Hour,
		SoftMemory: 512 * pool.MiB,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	pids := map[int]int{}
	for range 9 {
		pid, err := decode.Call(ctx, p, 0)
		if err != nil {
			log.Fatal(err)
		}
		pids[pid]++
	}
	fmt.Println("9 tasks by", len(pids), "workers, none of which failed:", p.Stats().Crashed == 0)
	// Output:
	// 9 tasks by 3 workers, none of which failed: true
}

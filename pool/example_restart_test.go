package pool_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// Restart replaces the workers one after the other while the pool goes on serving. Hot spares make it, and recovery
// from a death, a matter of a millisecond.
func ExamplePool_Restart() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{
		Size:         3,
		Spares:       1,
		StopGrace:    5 * time.Second,
		CloseTimeout: 30 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()

	var inFlight []*pool.Future[string]
	for range 100 {
		inFlight = append(inFlight, shout.Submit(ctx, p, "still here"))
	}
	before := p.Workers()
	if err := p.Restart(ctx); err != nil {
		log.Fatal(err)
	}
	for _, f := range inFlight {
		if _, err := f.Result(ctx); err != nil {
			log.Fatal(err)
		}
	}
	renewed := 0
	for i, w := range p.Workers() {
		if w.PID != before[i].PID {
			renewed++
		}
	}
	fmt.Println("100 answered,", renewed, "workers renewed,", p.Stats().Failed, "failed")
	// Output:
	// 100 answered, 3 workers renewed, 0 failed
}

package pool_test

import (
	"context"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// A look of the keeper finds many workers between two tasks, where they owe something and run nothing. To ping each
// would wake a goroutine in it, up to a thousand times a second.
func TestWorkersAreNotPingedBetweenTheirTasks(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	const workers, callers = 4, 16
	p := start(t, pool.Config{Size: workers})
	before, began := p.Pings(), time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := 0; time.Since(began) < 200*time.Millisecond; i++ {
				_, err := square.Call(context.Background(), p, i)
				g.Expect(err).NotTo(HaveOccurred())
			}
		})
	}
	wg.Wait()
	// more often than heartbeats and a busy host make it
	most := workers * (2 + int(time.Since(began)/(100*time.Millisecond)))
	g.Expect(p.Pings()-before).To(BeNumerically("<=", most), "pings in %v", time.Since(began))
}

package pool

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

// Tiny tasks keep to a few workers of many; long ones that come behind them, or among them, are soon at all.
func TestTinyTasksStayWithAFewWorkersAndLongOnesAreSpread(t *testing.T) {
	size := 16 * enoughNear
	staged(t, Config{
		Size: size, Heartbeat: -1, StopGrace: time.Hour, CancelGrace: -1,
	}, func(g *WithT, s *simulation, p *Pool) {
		run := func(n int, work func(i int) time.Duration) time.Duration {
			began := time.Now()
			var futures []*Future[[]byte]
			for i := range n {
				futures = append(futures, s.task(work(i)))
			}
			for _, f := range futures {
				_, err := f.Result(context.Background())
				g.Expect(err).NotTo(HaveOccurred())
			}
			return time.Since(began)
		}
		const long = 100 * time.Millisecond
		tiny := func(int) time.Duration { return 100 }
		for range 4 {
			run(4*size, tiny)
		}
		before := p.Workers()
		run(16*size, tiny)
		used := 0
		for i, w := range p.Workers() {
			if w.Tasks > before[i].Tasks {
				used++
			}
		}
		g.Expect(used).To(BeNumerically("<=", 2*enoughNear), "of %d workers", size)

		g.Expect(run(size, func(int) time.Duration { return long })).To(BeNumerically("<", long+30*time.Millisecond),
			"all at once")
		for range 4 {
			run(4*size, tiny)
		}
		mixed := func(i int) time.Duration {
			if i%8 == 0 {
				return long
			}
			return 100
		}
		g.Expect(run(8*size, mixed)).To(BeNumerically("<", 2*long), "and among tiny ones")
	})
}

// Workers that are busy with what is pinned to their slots take nothing from the queue, however quick they are.
func TestATaskForAnyWorkerDoesNotWaitForThoseThatArePinned(t *testing.T) {
	takes.Seconds(t)
	pinned := enoughNear + 1
	staged(t, Config{Size: pinned + 3, Heartbeat: -1, StopGrace: time.Hour, CancelGrace: -1},
		func(g *WithT, s *simulation, p *Pool) {
			for range 100 {
				_, err := s.task(100).Result(context.Background())
				g.Expect(err).NotTo(HaveOccurred())
			}
			var last []*Future[[]byte]
			for range 20_000 {
				last = last[:0]
				for slot := range pinned {
					last = append(last, s.task(100, OnSlot(slot)))
				}
			}
			for range 5 {
				began := time.Now()
				_, err := s.task(100).Result(context.Background())
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(time.Since(began)).To(BeNumerically("<", 10*time.Millisecond))
			}
			g.Expect(last[0].Done()).NotTo(BeClosed(), "they are still at work")
			for _, f := range last {
				_, err := f.Result(context.Background())
				g.Expect(err).NotTo(HaveOccurred())
			}
		})
}

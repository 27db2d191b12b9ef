package pool

import (
	"context"
	"runtime"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// What a pool or a future that lives long holds on to.

var heeds = Register("heeds", func(ctx context.Context, _ []byte) (int, error) {
	<-ctx.Done()
	return 0, ctx.Err()
})

var plainOne = Register("plain-one", func(context.Context, int) (int, error) { return 1, nil })

// inGoroutines makes a pool of one worker that is none.
func inGoroutines(t *testing.T, cfg Config) *Pool {
	t.Helper()
	cfg.Size = 1
	cfg, _ = InProcess(cfg)
	p, err := New(t.Context(), cfg)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Terminate)
	return p
}

func TestACancelledTaskIsNotKeptForItsGrace(t *testing.T) {
	g, p := NewWithT(t), inGoroutines(t, Config{CancelGrace: time.Hour})
	collected := make(chan struct{})
	func() {
		ctx, cancel := context.WithCancel(t.Context())
		f := heeds.Submit(ctx, via(p), []byte("some argument of the task's own"))
		runtime.AddCleanup(f, func(int) { close(collected) }, 0)
		g.Eventually(func() Phase { return p.Workers()[0].Phase }).Should(Equal(PhaseRunning))
		cancel()
		<-f.Done()
	}()
	g.Eventually(func() int { return p.Workers()[0].InFlight }).Should(BeZero())
	g.Eventually(func() chan struct{} { runtime.GC(); return collected }).WithTimeout(10 * time.Second).Should(BeClosed())
}

func TestASettledFutureDoesNotHoldItsWorker(t *testing.T) {
	g, p := NewWithT(t), inGoroutines(t, Config{})
	f := plainOne.Submit(t.Context(), via(p), 1)
	g.Expect(f.Result(t.Context())).To(Equal(1))
	p.mu.Lock()
	defer p.mu.Unlock()
	g.Expect(f.call.on).To(BeNil())
}

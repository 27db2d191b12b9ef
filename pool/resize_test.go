package pool_test

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// contextThatEnded is done already.
func contextThatEnded(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

// load keeps the pool busy with short tasks until stop is called, which returns every outcome.
func load(t *testing.T, p *pool.Pool, callers int) (stop func() []seen) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var all []seen
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for ctx.Err() == nil {
				v, err := attempt.Call(t.Context(), via(p), time.Millisecond)
				if err != nil {
					t.Errorf("a task under load failed: %v", err)
					return
				}
				mu.Lock()
				all = append(all, v)
				mu.Unlock()
			}
		})
	}
	return func() []seen {
		cancel()
		group.Wait()
		return all
	}
}

func TestGrowAndShrinkUnderLoadLoseNothing(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	stop := load(t, p, 8)
	for _, n := range []int{6, 1, 4, 8, 3} {
		g.Expect(p.Resize(n)).To(Succeed())
		g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(patience).WithPolling(time.Millisecond).
			Should(Equal(n))
		g.Expect(p.Workers()).To(HaveLen(n))
		g.Expect(p.Size()).To(Equal(n))
	}
	for _, v := range stop() {
		g.Expect(v.Attempt).To(Equal(1), "nobody died")
	}
	s := p.Stats()
	g.Expect(s.Crashed + s.Killed + s.Requeued + s.BootFailures).To(BeZero())
	whole(t, p)
	g.Eventually(func() []int { return children() }).WithTimeout(patience).Should(HaveLen(3+1),
		"the workers and the guardian")
}

func TestShrinkNeverKillsABusyWorker(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 3, StopGrace: 50 * time.Millisecond})
	before, gate := pids(p), closedGate(t)
	var held []*pool.Future[seen]
	for slot := range 3 {
		held = append(held, gated.Submit(bound(t), via(p), gate, pool.OnSlot(slot)))
		inPhase(t, p, slot, pool.PhaseRunning)
	}
	g.Expect(p.Resize(1)).To(Succeed())
	g.Expect(p.Workers()).To(HaveLen(1))
	g.Consistently(func() bool { return isAlive(before[1]) && isAlive(before[2]) }, 200*time.Millisecond).
		Should(BeTrue())
	open(t, gate)
	for slot, f := range held {
		v, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(v.PID).To(Equal(before[slot]))
	}
	for slot := 1; slot < 3; slot++ {
		g.Eventually(func() bool { return isAlive(before[slot]) }).WithTimeout(patience).Should(BeFalse())
	}
	_, err := square.Call(bound(t), via(p), 1, pool.OnSlot(2))
	g.Expect(err).To(MatchError(pool.ErrNoSuchSlot))
	g.Expect(p.Resize(0)).NotTo(Succeed())
}

func TestRollingRestartWithRequestsInFlightFailsNoneAndRenewsEveryPid(t *testing.T) {
	takes.Seconds(t)
	for _, spares := range []int{0, 2} {
		g, p := NewWithT(t), start(t, pool.Config{Size: 4, Spares: spares})
		before := pids(p)
		g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(spares))
		stop := load(t, p, 8)
		called := time.Now()
		g.Expect(p.Restart(bound(t))).To(Succeed())
		for _, w := range p.Workers() {
			g.Expect(w.State).To(Equal(pool.Ready))
			g.Expect(w.PID).NotTo(Equal(before[w.Slot]))
			g.Expect(w.Started.After(called)).To(BeTrue(), "an old spare is no new worker")
		}
		for _, v := range stop() {
			g.Expect(v.Attempt).To(Equal(1))
		}
		s := p.Stats()
		g.Expect(s.Crashed + s.Killed + s.Requeued + s.Failed).To(BeZero())
		whole(t, p)
	}
}

func TestRestartKeepsAllButOneWorkerReady(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 3})
	events := p.Subscribe(1000)
	g.Expect(p.Restart(bound(t))).To(Succeed())
	down := 0
	for range 6 { // three retire, three become ready
		e := <-events.C
		for e.Kind != pool.WorkerRetiring && e.Kind != pool.WorkerReady {
			e = <-events.C
		}
		if e.Kind == pool.WorkerRetiring {
			down++
		} else {
			down--
		}
		g.Expect(down).To(BeNumerically("<=", 1))
	}
}

func TestRestartOfAPoolThatIsBootingReturns(t *testing.T) {
	g, path := NewWithT(t), fault(t)
	p := start(t, pool.Config{Size: 2, Initializer: setState.With("hang-while-exists:" + path)})
	create(t, path)
	kill(t, pids(p)[0], 9)
	g.Eventually(func() int { return p.Stats().Starting }).WithTimeout(patience).Should(Equal(1))
	booting := p.Workers()[0].PID
	restarted := make(chan error, 1)
	go func() { restarted <- p.Restart(bound(t)) }()
	g.Consistently(restarted, 50*time.Millisecond).ShouldNot(Receive())
	open(t, path)
	g.Eventually(restarted).WithTimeout(patience).Should(Receive(BeNil()))
	g.Expect(pids(p)[0]).NotTo(Equal(booting), "it was started before the call")
	whole(t, p)
}

func TestRestartEndsWithItsContextOrThePool(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	gate := closedGate(t)
	f := gated.Submit(bound(t), via(p), gate)
	inPhase(t, p, 0, pool.PhaseRunning)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	g.Expect(p.Restart(short)).To(MatchError(context.DeadlineExceeded))
	restarted := make(chan error, 1)
	go func() { restarted <- p.Restart(bound(t)) }()
	p.Terminate()
	g.Eventually(restarted).WithTimeout(patience).Should(Receive(MatchError(pool.ErrClosed)))
	_, err := f.Result(bound(t))
	g.Expect(err).To(MatchError(pool.ErrClosed))
}

func TestAPinnedTaskThatComesBackToASlotThatWasMadeAgainRuns(t *testing.T) {
	g := NewWithT(t)
	cfg, workers := pool.InProcess(pool.Config{Size: 2})
	p := start(t, cfg)
	f := obeys.Submit(bound(t), via(p), 1, pool.OnSlot(1))
	old := inPhase(t, p, 1, pool.PhaseRunning).PID
	g.Expect(p.Resize(1)).To(Succeed())
	g.Expect(p.Resize(2)).To(Succeed())
	g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(patience).Should(Equal(2))
	g.Expect(workers.Kill(old, syscall.SIGKILL)).To(Succeed())
	g.Expect(f.Result(bound(t))).To(Equal(2))
}

// obeys waits for its context's end until it is called more often than that.
var obeys = pool.Register("obeys", func(ctx context.Context, times int) (int, error) {
	if pool.Attempt(ctx) <= times {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return pool.Attempt(ctx), nil
})

func TestSIGTERMToAWorkerThatRetiresAlreadyIsBoundedByStopGrace(t *testing.T) {
	g := NewWithT(t)
	cfg, workers := pool.InProcess(
		pool.Config{Size: 1, StopGrace: 200 * time.Millisecond, Budgets: pool.Budgets{Killed: 1}})
	p := start(t, cfg)
	f := obeys.Submit(bound(t), via(p), 9)
	pid := inPhase(t, p, 0, pool.PhaseRunning).PID
	restarted := make(chan error, 1)
	go func() { restarted <- p.Restart(bound(t)) }()
	g.Eventually(func() pool.State { return p.Workers()[0].State }).WithTimeout(patience).Should(Equal(pool.Retiring))
	g.Expect(workers.Kill(pid, syscall.SIGTERM)).To(Succeed())
	_, err := f.Result(bound(t))
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(1))
	g.Expect(lost.Exits[0].Asked).To(BeTrue())
	g.Eventually(restarted).WithTimeout(patience).Should(Receive(Succeed()))
}

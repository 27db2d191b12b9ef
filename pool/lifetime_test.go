package pool_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

func TestMaxTasksTurnsPidsOverExactly(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, MaxTasks: 3})
	served := map[int]int{}
	var order []int
	for range 12 {
		v, err := attempt.Call(bound(t), via(p), 0)
		g.Expect(err).NotTo(HaveOccurred())
		if served[v.PID]++; served[v.PID] == 1 {
			order = append(order, v.PID)
		}
	}
	g.Expect(order).To(HaveLen(4))
	for _, pid := range order {
		g.Expect(served[pid]).To(Equal(3))
	}
}

func TestMaxTasksHoldsUnderPrefetchAndLosesNoLastResult(t *testing.T) {
	takes.Seconds(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, MaxTasks: 7, Delivery: pool.AtMostOnce})
	events := p.Subscribe(10_000)
	var futures []*pool.Future[seen]
	for range 700 {
		futures = append(futures, attempt.Submit(bound(t), via(p), 0))
	}
	served := map[int]int{}
	for _, f := range futures {
		v, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(v.Attempt).To(Equal(1))
		served[v.PID]++
	}
	for pid, n := range served {
		g.Expect(n).To(BeNumerically("<=", 7), "pid %d", pid)
	}
	g.Expect(len(served)).To(BeNumerically(">=", 100))
	e, _ := next(t, events, pool.WorkerExited)
	g.Expect(e.Exit.Kind).To(Equal(pool.KindClean))
	g.Expect(e.Exit.Reason).To(Equal(pool.ReasonRecycle))
	s := p.Stats()
	g.Expect(s.BootFailures+s.Crashed+s.Killed+s.Lost).To(BeZero(), "recycling is no failure")
	whole(t, p)
}

func TestMaxAgeRecyclesAnIdleWorkerAndABusyOneAfterItsTask(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, MaxAge: 300 * time.Millisecond})
	before, gate := pids(p), closedGate(t)
	f := gated.Submit(bound(t), via(p), gate, pool.OnSlot(0))
	g.Eventually(func() pool.Phase { return p.Workers()[0].Phase }).WithTimeout(patience).
		Should(Equal(pool.PhaseRunning))
	before[0] = pids(p)[0] // on a busy host the first may have come of age before it had the task
	g.Eventually(func() int { return pids(p)[1] }).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(before[1])))
	g.Eventually(func() pool.State { return p.Workers()[0].State }).WithTimeout(patience).Should(Equal(pool.Retiring))
	open(t, gate)
	v, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.PID).To(Equal(before[0]))
	g.Eventually(func() int { return pids(p)[0] }).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(before[0])))
}

func TestSoftMemoryRecyclesALeakingWorkerBetweenTasks(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, SoftMemory: 128 * pool.MiB, Delivery: pool.AtMostOnce})
	events := p.Subscribe(1000)
	served := map[int]int{}
	for len(served) < 3 {
		pid, err := leak.Call(bound(t), via(p), 8<<20)
		g.Expect(err).NotTo(HaveOccurred())
		served[pid]++
	}
	e, _ := next(t, events, pool.WorkerExited)
	g.Expect(e.Exit.Reason).To(Equal(pool.ReasonRecycle))
	g.Expect(e.Exit.Kind).To(Equal(pool.KindClean))
	g.Expect(e.Exit.MaxRSS).To(BeNumerically(">", 128*pool.MiB))
}

func TestTerminateWithTenThousandQueuedTasksReturnsFastAndSettlesThem(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	var settled atomic.Int64
	var waiters sync.WaitGroup
	for range 10_000 {
		f := stubborn.Submit(t.Context(), via(p), time.Minute)
		waiters.Go(func() {
			if _, err := f.Result(t.Context()); err != nil {
				settled.Add(1)
			}
		})
	}
	began := time.Now()
	p.Terminate()
	g.Expect(time.Since(began)).To(BeNumerically("<", loaded(time.Second)))
	waiters.Wait()
	g.Expect(settled.Load()).To(BeEquivalentTo(10_000))
	g.Expect(p.Stats().Submitted).To(Equal(p.Stats().Settled))
}

func TestCloseDrainsWhatWasSubmitted(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 3})
	var futures []*pool.Future[int]
	for range 50 {
		futures = append(futures, sleep.Submit(bound(t), via(p), 5*time.Millisecond))
	}
	g.Expect(p.Close()).To(Succeed())
	for _, f := range futures {
		g.Expect(f.Done()).To(BeClosed())
		g.Expect(f.Result(bound(t))).To(BeNumerically(">", 0))
	}
	g.Expect(children()).To(BeEmpty())
}

func TestDrainWhoseContextEndsGoesOnDraining(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	gate := closedGate(t)
	f := gated.Submit(bound(t), via(p), gate)
	ctx, cancel := contextThatEnded(t)
	defer cancel()
	g.Expect(p.Drain(ctx)).To(MatchError(ctx.Err()))
	_, err := square.Call(bound(t), via(p), 1)
	g.Expect(err).To(MatchError(pool.ErrClosed))
	open(t, gate)
	g.Expect(p.Drain(bound(t))).To(Succeed())
	_, err = f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
}

func TestACloseThatRunsOutOfTimeSettlesEveryFuture(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, CloseTimeout: 100 * time.Millisecond})
	var futures []*pool.Future[int]
	for range 20 {
		futures = append(futures, stubborn.Submit(bound(t), via(p), time.Minute))
	}
	g.Expect(p.Close()).To(MatchError(pool.ErrClosed))
	for _, f := range futures {
		_, err := f.Result(bound(t))
		g.Expect(err).To(MatchError(pool.ErrClosed))
	}
}

func TestWorkersAreListedWithUniqueNamesAndRealPids(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 4})
	names := map[string]bool{}
	for range 5 {
		for slot, w := range p.Workers() {
			g.Expect(w.Slot).To(Equal(slot))
			g.Expect(w.State).To(Equal(pool.Ready))
			g.Expect(w.PID).To(BeNumerically(">", 1))
			g.Expect(w.String()).To(MatchRegexp(`^<Worker-\d+ pid=\d+ parent=\d+ ready>$`))
			g.Expect(names).NotTo(HaveKey(w.Name), "names are never used again")
			names[w.Name] = true
			kill(t, w.PID, 9)
		}
		whole(t, p)
	}
}

func TestAKilledWorkerIsListedAsStoppedUntilItsReplacementStarts(t *testing.T) {
	g, path := NewWithT(t), fault(t)
	p := start(t, pool.Config{
		Size: 1, Backoff: pool.Backoff{Base: time.Hour, Max: time.Hour},
		Initializer: setState.With("exit-while-exists:" + path),
	})
	create(t, path)
	kill(t, pids(p)[0], 9)
	g.Eventually(func() string { return p.Workers()[0].String() }).WithTimeout(patience).
		Should(MatchRegexp(`^<Worker-\d pid=\d+ parent=\d+ stopped exitcode=3>$`))
}

func TestDrainAndCloseSayWhenTerminateEndedTasks(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	for name, end := range map[string]func(*pool.Pool) error{
		"Drain": func(p *pool.Pool) error { return p.Drain(bound(t)) },
		"Close": (*pool.Pool).Close,
	} {
		p := start(t, pool.Config{Size: 1})
		f := sleep.Submit(bound(t), via(p), time.Minute)
		inPhase(t, p, 0, pool.PhaseRunning)
		ended := make(chan error, 1)
		go func() { ended <- end(p) }()
		g.Eventually(func() error { return p.Resize(1) }).WithTimeout(patience).Should(MatchError(pool.ErrClosed))
		p.Terminate()
		var err error
		g.Eventually(ended).WithTimeout(patience).Should(Receive(&err))
		g.Expect(err).To(MatchError(pool.ErrClosed), name)
		_, err = f.Result(bound(t))
		g.Expect(err).To(MatchError(pool.ErrClosed))
		g.Expect(p.Close()).To(MatchError(pool.ErrClosed), "and again, since it is still so")
	}

	idle := start(t, pool.Config{Size: 1})
	idle.Terminate()
	g.Expect(idle.Close()).To(Succeed(), "nothing was there to end")
}

func TestCloseThatHitsItsTimeoutSaysItInOneLine(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, CloseTimeout: 20 * time.Millisecond})
	sleep.Submit(bound(t), via(p), time.Minute)
	inPhase(t, p, 0, pool.PhaseRunning)
	err := p.Close()
	g.Expect(err).To(And(MatchError(pool.ErrClosed), MatchError(context.DeadlineExceeded)))
	g.Expect(err.Error()).NotTo(ContainSubstring("\n"))
}

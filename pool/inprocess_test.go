package pool

import (
	"context"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/process"

	. "github.com/onsi/gomega"
)

func TestAWorkerInProcessThatIsGoneTakesNoMoreSignals(t *testing.T) {
	g := NewWithT(t)
	cfg, _ := InProcess(Config{Size: 1})
	var w interface{ Signal(syscall.Signal) error }
	start := cfg.start
	cfg.start = func(spec process.Spec) (process.Process, error) {
		started, err := start(spec)
		w = started
		return started, err
	}
	p, err := New(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	p.Terminate() // between Kill's look at who is there and its signal
	for range 2 {
		g.Expect(w.Signal(syscall.SIGTERM)).To(Succeed())
		g.Expect(w.Signal(syscall.SIGKILL)).To(Succeed())
	}
}

// Its frame is on the way when it is cancelled.
func TestACancelledTaskIsNoProofThatAProbeWorks(t *testing.T) {
	g, p := NewWithT(t), inGoroutines(t, Config{})
	p.mu.Lock()
	w := p.st.slots[0].worker
	p.st.breaker.Trip(time.Now()) // as when a probe has just come up
	p.st.breaker.Probes()
	w.probe = true
	w.writing = true
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	f := plainOne.Submit(ctx, p, 1)
	cancel()
	<-f.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	g.Expect(p.st.breaker.Open()).To(BeTrue())
	w.writing = false
}

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
	g.Eventually(func() chan struct{} { runtime.GC(); return collected }).WithTimeout(10 * time.Second).
		Should(BeClosed())
}

func TestASettledFutureDoesNotHoldItsWorker(t *testing.T) {
	g, p := NewWithT(t), inGoroutines(t, Config{})
	f := plainOne.Submit(t.Context(), via(p), 1)
	g.Expect(f.Result(t.Context())).To(Equal(1))
	p.mu.Lock()
	defer p.mu.Unlock()
	g.Expect(f.call.on).To(BeNil())
}

// slowEnd is a worker whose record waits for its output to be taken.
type slowEnd struct {
	process.Process
	taken chan struct{}
}

func (w slowEnd) Wait() process.Status {
	<-w.taken
	return w.Process.Wait()
}

func TestNoCallWaitsForTheRecordOfADeadWorkerWhileAnotherIsIdle(t *testing.T) {
	g := NewWithT(t)
	cfg, workers := InProcess(Config{Size: 2})
	inner, taken := cfg.start, make(chan struct{})
	cfg.start = func(s process.Spec) (process.Process, error) {
		p, err := inner(s)
		if err != nil {
			return nil, err
		}
		return slowEnd{p, taken}, nil
	}
	p, err := New(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Terminate()
	defer close(taken)
	last := plainOne.Submit(t.Context(), via(p), 1)
	victim := last.Outcome().PID // which would be sent the next one too
	p.mu.Lock()
	w := p.st.slots[0].worker
	if w.proc.PID() != victim {
		w = p.st.slots[1].worker
	}
	p.mu.Unlock()
	g.Expect(workers.Kill(victim, syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !w.died.IsZero()
	}).Should(BeTrue())
	for range 20 {
		f := plainOne.Submit(t.Context(), via(p), 1)
		g.Eventually(f.Done()).WithTimeout(time.Minute).Should(BeClosed())
	}
	g.Expect(p.Stats().Exits).To(BeZero())
}

// slowDeath is a worker to which SIGKILL comes late.
type slowDeath struct {
	process.Process
	due chan struct{}
}

func (w slowDeath) Kill() {
	go func() {
		<-w.due
		w.Process.Kill()
	}()
}

// bootsHeld keeps boots from ending.
var (
	bootsHeld  atomic.Bool
	unlessHeld = RegisterInit("boots-unless-bootsHeld", func(context.Context, int) error {
		for bootsHeld.Load() {
			<-time.After(time.Millisecond)
		}
		return nil
	})
)

func TestAWorkerThatIsBeingKilledIsNotPutToWorkWhenItSaysReady(t *testing.T) {
	g := NewWithT(t)
	cfg, _ := InProcess(Config{Size: 1, Initializer: unlessHeld.With(0)})
	inner, due := cfg.start, make(chan struct{})
	cfg.start = func(s process.Spec) (process.Process, error) {
		p, err := inner(s)
		if err != nil {
			return nil, err
		}
		return slowDeath{p, due}, nil
	}
	p, err := New(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Terminate()
	bootsHeld.Store(true)
	defer bootsHeld.Store(false)
	g.Expect(p.Resize(2)).To(Succeed())
	g.Eventually(func() int { return p.Stats().Starting }).WithTimeout(time.Minute).Should(Equal(1))
	p.mu.Lock()
	w := p.st.slots[1].worker
	w.kill(&p.st, ReasonProtocol)
	p.mu.Unlock()
	bootsHeld.Store(false)
	g.Eventually(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return w.booting
	}).WithTimeout(time.Minute).Should(BeFalse())
	g.Consistently(func() int { return p.Stats().Ready }, 50*time.Millisecond).Should(Equal(1))
	close(due)
	g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(time.Minute).Should(Equal(2))
}

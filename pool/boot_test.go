package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// next waits for the next event of that kind and returns it with the number of processes started before it.
func next(t *testing.T, events *pool.Subscription, kind pool.EventKind) (e pool.Event, started int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case e = <-events.C:
			switch e.Kind {
			case kind:
				return e, started
			case pool.WorkerStarted:
				started++
			}
		case <-deadline:
			t.Fatalf("no event %v came", kind)
		}
	}
}

// fault is a file that makes initializers fail while it exists.
func fault(t *testing.T) string { return filepath.Join(t.TempDir(), "fault") }

func create(t *testing.T, path string) {
	t.Helper()
	NewWithT(t).Expect(os.WriteFile(path, nil, 0o600)).To(Succeed())
}

func TestABootLoopBacksOffOpensTheBreakerAndRecoversByItself(t *testing.T) {
	long(t)
	beside(t)
	for how, cause := range map[string]string{
		"fail-while-exists:":      "initializer failed: not yet",
		"exit-soon-while-exists:": "died right after it was ready",
	} {
		t.Run(how, func(t *testing.T) {
			g, path := NewWithT(t), fault(t)
			base := 20 * time.Millisecond
			p := start(t, pool.Config{
				Size: 2, Initializer: setState.With(how + path),
				Backoff: pool.Backoff{Base: base, Max: 8 * base, Threshold: 4, HalfLife: time.Hour},
			})
			events := p.Subscribe(10_000)
			create(t, path)
			for _, pid := range pids(p) {
				kill(t, pid, syscall.SIGKILL)
			}
			if how == "fail-while-exists:" { // no worker is ever ready: what waits fails when the breaker opens
				g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(patience).Should(BeZero())
				_, err := square.Call(bound(t), p, 1)
				g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(ContainSubstring(cause))))
			}
			for n := range 5 {
				e, started := next(t, events, pool.BreakerOpened)
				ideal := min(base<<n, 8*base)
				g.Expect(e.Delay).To(And(BeNumerically(">=", ideal/2), BeNumerically("<=", 3*ideal/2)), "opening %d", n)
				g.Expect(e.Err).To(MatchError(ContainSubstring(cause)))
				if n > 1 {
					g.Expect(started).To(Equal(1), "one probe for each opening")
				} else {
					// Six; and one more for each that needs a second to die after it was ready, on a host that is so
					// busy.
					g.Expect(started).To(BeNumerically("<=", 12), "bounded starts")
				}
			}
			g.Expect(p.Stats().BreakerOpen).To(BeTrue())

			g.Expect(os.Remove(path)).To(Succeed())
			next(t, events, pool.BreakerClosed)
			g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(patience).Should(Equal(2))
			whole(t, p)
			g.Expect(events.Dropped()).To(BeZero())
		})
	}
}

func TestKillsOfBootingWorkersBesideOneThatWorksDoNotOpenTheBreaker(t *testing.T) {
	g, path := NewWithT(t), fault(t)
	p := start(t, pool.Config{
		Size: 2, Initializer: setState.With("hang-while-exists:" + path),
		Backoff: pool.Backoff{Base: time.Millisecond, Max: 4 * time.Millisecond, Threshold: 2},
	})
	events := p.Subscribe(1000)
	create(t, path)
	kill(t, pids(p)[0], syscall.SIGKILL)
	for range 10 {
		e, _ := next(t, events, pool.WorkerStarted)
		kill(t, e.Worker.PID, syscall.SIGKILL)
		next(t, events, pool.WorkerExited)
	}
	g.Expect(os.Remove(path)).To(Succeed())
	whole(t, p)
	g.Expect(p.Stats().BootFailures).To(BeZero())
}

func TestTheFirstRestartIsImmediateWhateverTheBackoff(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1, Backoff: pool.Backoff{Base: time.Hour, Max: time.Hour}})
	g.Expect(dieOnce.Call(bound(t), p, "exit 42")).To(Equal(2))
	whole(t, p)
}

func TestSlowBootsAreNeverMoreThanTheSize(t *testing.T) {
	beside(t)
	g, path := NewWithT(t), fault(t)
	p := start(t, pool.Config{Size: 3, Initializer: setState.With("hang-while-exists:" + path)})
	create(t, path)
	for _, pid := range pids(p) {
		kill(t, pid, syscall.SIGKILL)
	}
	g.Eventually(func() int { return p.Stats().Starting }).WithTimeout(patience).Should(Equal(3))
	f := square.Submit(bound(t), p, 3)
	g.Consistently(func() int { return p.Stats().Starting }, 200*time.Millisecond, time.Millisecond).Should(Equal(3))
	g.Expect(os.Remove(path)).To(Succeed())
	g.Expect(f.Result(bound(t))).To(Equal(9))
	whole(t, p)
	g.Expect(p.Stats().Started).To(BeEquivalentTo(6))
}

func TestAWorkerThatIsNotReadyInTimeIsAClearErrorAndLeavesNothing(t *testing.T) {
	takes.Seconds(t)
	g, path := NewWithT(t), fault(t)
	create(t, path)
	defer os.Remove(path)
	files, _ := resources()
	for name, cfg := range map[string]pool.Config{
		"its program never calls Main": {Env: []string{envDeaf + "=1"}},
		"its initializer hangs":        {Initializer: setState.With("hang-while-exists:" + path)},
	} {
		cfg.Size, cfg.BootTimeout = 2, 200*time.Millisecond
		cfg.Backoff = pool.Backoff{Base: time.Millisecond, Threshold: 2}
		_, err := pool.New(bound(t), cfg)
		g.Expect(err).To(MatchError(pool.ErrCrashLoop), name)
		g.Expect(err).
			To(MatchError(ContainSubstring("was not ready within 200ms: does the program call pool.Main first")))
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := pool.New(short, pool.Config{Size: 2, Initializer: setState.With("hang-while-exists:" + path)})
	g.Expect(err).To(MatchError(context.DeadlineExceeded), "the context of New bounds the boot")
	g.Eventually(func() int { n, _ := resources(); return n }).WithTimeout(patience).Should(BeNumerically("<=", files))
	g.Expect(children()).To(BeEmpty())
}

func TestAReplacementThatCannotBeSpawnedIsRetriedAndItsReasonTold(t *testing.T) {
	long(t)
	beside(t)
	for _, errno := range []syscall.Errno{syscall.EAGAIN, syscall.ENOMEM} {
		t.Run(errno.Error(), func(t *testing.T) {
			g := NewWithT(t)
			var refuse atomic.Uint32
			cfg := pool.Config{
				Size: 2, Backoff: pool.Backoff{Base: 10 * time.Millisecond, Max: 50 * time.Millisecond, Threshold: 3},
			}
			p := start(t, cfg.Refusing(func() syscall.Errno { return syscall.Errno(refuse.Load()) }))
			events := p.Subscribe(10_000)
			refuse.Store(uint32(errno))

			kill(t, pids(p)[0], syscall.SIGKILL)
			e, _ := next(t, events, pool.BootFailed)
			g.Expect(e.Err).To(MatchError(errno))
			g.Expect(square.Call(bound(t), p, 5)).To(Equal(25), "the other worker goes on")
			next(t, events, pool.BreakerOpened)
			g.Expect(square.Call(bound(t), p, 6)).To(Equal(36), "whatever the breaker says")

			running := sleep.Submit(bound(t), p, time.Minute)
			inPhase(t, p, 1, pool.PhaseRunning)
			waiting := square.Submit(bound(t), p, 7)
			kill(t, pids(p)[1], syscall.SIGKILL)
			for _, done := range []<-chan struct{}{running.Done(), waiting.Done()} {
				g.Eventually(done).WithTimeout(patience).Should(BeClosed())
			}
			_, err := waiting.Result(bound(t))
			g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(errno)))
			_, err = running.Result(bound(t))
			g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(errno)))
			var loop *pool.CrashLoopError
			g.Expect(errors.As(err, &loop)).To(BeTrue())

			refuse.Store(0)
			g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(patience).Should(Equal(2))
			whole(t, p)
		})
	}
}

func TestAPoolThatCannotBeSpawnedAtAllIsAnErrorOfNew(t *testing.T) {
	g := NewWithT(t)
	cfg := pool.Config{Size: 2, Backoff: pool.Backoff{Base: time.Millisecond}}
	_, err := pool.New(bound(t), cfg.Refusing(func() syscall.Errno { return syscall.EAGAIN }))
	g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(syscall.EAGAIN)))
}

func TestAWorkerThatRegisteredOtherTasksIsToldAsThat(t *testing.T) {
	g := NewWithT(t)
	_, err := pool.New(bound(t),
		pool.Config{Size: 1, Env: []string{envOther + "=1"}, Backoff: pool.Backoff{Threshold: 1}})
	g.Expect(err).To(And(
		MatchError(pool.ErrCrashLoop), MatchError(ContainSubstring("registered other tasks than the parent")),
		Not(MatchError(ContainSubstring("initializer")))))
}

// killsItself is what the kernel does to an initializer that outgrows the memory that is there. It counts the boots.
var killsItself = pool.RegisterInit("kills-itself", func(_ context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, _ = f.Write([]byte{1})
	_ = killPID(os.Getpid(), syscall.SIGKILL)
	select {}
})

func TestWorkersThatAreKilledAtEveryBootAreNoForkLoopAndFailNew(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g, path := NewWithT(t), fault(t)
	_, err := pool.New(bound(t), pool.Config{Size: 1, Initializer: killsItself.With(path)})
	g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(ContainSubstring("exited before it was ready")),
		MatchError(ContainSubstring("-SIGKILL"))))
	boots, err := os.Stat(path)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(boots.Size()).To(BeNumerically("<", 12),
		"six of them open the breaker, 0, 0, 50, 100, 200 ms apart at least")
}

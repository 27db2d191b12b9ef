package pool

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/process"

	. "github.com/onsi/gomega"
)

// slowEnd is a worker whose record waits for its output to be taken.
type slowEnd struct {
	*goroutineWorker
	taken chan struct{}
}

func (w slowEnd) Wait() process.Status {
	<-w.taken
	return w.goroutineWorker.Wait()
}

func TestNoCallWaitsForTheRecordOfADeadWorkerWhileAnotherIsIdle(t *testing.T) {
	g := NewWithT(t)
	cfg, crew := InProcess(Config{Size: 2})
	inner, taken := cfg.start, make(chan struct{})
	cfg.start = func(s process.Spec) (process.Process, error) {
		p, err := inner(s)
		if err != nil {
			return nil, err
		}
		return slowEnd{p.(*goroutineWorker), taken}, nil
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
	g.Expect(crew.Kill(victim, syscall.SIGKILL)).To(Succeed())
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
	*goroutineWorker
	due chan struct{}
}

func (w slowDeath) Kill() {
	go func() {
		<-w.due
		w.goroutineWorker.Kill()
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
		return slowDeath{p.(*goroutineWorker), due}, nil
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

package pool

import (
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// slowEnd is a worker whose record waits for its output to be taken.
type slowEnd struct {
	*goroutineWorker
	taken chan struct{}
}

func (w slowEnd) wait() waitStatus {
	<-w.taken
	return w.goroutineWorker.wait()
}

func TestNoCallWaitsForTheRecordOfADeadWorkerWhileAnotherIsIdle(t *testing.T) {
	g := NewWithT(t)
	cfg, crew := InProcess(Config{Size: 2})
	inner, taken := cfg.start, make(chan struct{})
	cfg.start = func(s spawnSpec) (process, error) {
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
	last := plainOne.Submit(t.Context(), p, 1)
	victim := last.Outcome().PID // which would be sent the next one too
	p.mu.Lock()
	w := p.slots[0].worker
	if w.proc.pid() != victim {
		w = p.slots[1].worker
	}
	p.mu.Unlock()
	g.Expect(crew.Kill(victim, syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return !w.died.IsZero()
	}).Should(BeTrue())
	for range 20 {
		f := plainOne.Submit(t.Context(), p, 1)
		g.Eventually(f.Done()).WithTimeout(time.Minute).Should(BeClosed())
	}
	g.Expect(p.Stats().Exits).To(BeZero())
}

package pool

import (
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
)

func TestAWorkerInProcessThatIsGoneTakesNoMoreSignals(t *testing.T) {
	g := NewWithT(t)
	cfg, crew := InProcess(Config{Size: 1})
	p, err := New(t.Context(), cfg)
	g.Expect(err).NotTo(HaveOccurred())
	crew.mu.Lock()
	w := crew.members[p.Workers()[0].PID]
	crew.mu.Unlock()
	p.Terminate() // between Kill's look at who is there and its signal
	for range 2 {
		g.Expect(w.Signal(syscall.SIGTERM)).To(Succeed())
		g.Expect(w.Signal(syscall.SIGKILL)).To(Succeed())
	}
}

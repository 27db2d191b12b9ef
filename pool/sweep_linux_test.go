package pool_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

func TestWhatAWorkerStartedInASessionOfItsOwnDoesNotOutliveThePool(t *testing.T) {
	for name, end := range map[string]func(p *pool.Pool) error{
		"Terminate": func(p *pool.Pool) error { p.Terminate(); return nil },
		"Close":     func(p *pool.Pool) error { return p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			g, p := NewWithT(t), start(t, pool.Config{Size: 1})
			child, err := spawn.Call(bound(t), p, "in a session of its own")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(isAlive(child)).To(BeTrue())
			g.Expect(end(p)).To(Succeed())
			g.Expect(isAlive(child)).To(BeFalse())
		})
	}
}

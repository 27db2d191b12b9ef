package pool_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

func TestAGuardianThatWasLeftAloneForLongIsClosedAtOnce(t *testing.T) {
	g := NewWithT(t)
	guardian, err := pool.StartGuardian("0123456789abcdef")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(guardian.Watch(1<<22-1, "")).To(Succeed())
	// Longer than a write to it may take: the deadline of the last one must not hit the next.
	timer := time.NewTimer(1100 * time.Millisecond)
	<-timer.C
	closed := make(chan error, 1)
	go func() { closed <- guardian.Close() }()
	g.Eventually(closed).WithTimeout(patience).Should(Receive(BeNil()))
}

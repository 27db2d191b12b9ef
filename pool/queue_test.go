package pool_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// The worker is busy all the time, so that nothing but the cancellation makes room.
func TestACancelledTaskMakesRoomInAFullQueue(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, QueueLimit: 1, QueueBlock: true})
	busy, free := context.WithCancel(bound(t))
	defer free()
	running := sleep.Submit(busy, via(p), time.Minute)
	inPhase(t, p, 0, pool.PhaseRunning)
	ctx, cancel := context.WithCancel(bound(t))
	waiting := square.Submit(ctx, via(p), 2)
	g.Expect(p.Stats().Queued).To(Equal(1))

	accepted := make(chan *pool.Future[int])
	go func() { accepted <- square.Submit(bound(t), via(p), 3) }()
	g.Consistently(accepted, 50*time.Millisecond).ShouldNot(Receive())
	cancel()
	var next *pool.Future[int]
	g.Eventually(accepted).WithTimeout(patience).Should(Receive(&next))
	g.Expect(waiting.Outcome().Attempts).To(BeZero())
	free()
	_, err := running.Result(bound(t))
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(next.Result(bound(t))).To(Equal(9))
}

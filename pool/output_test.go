package pool_test

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

func TestALongTracebackStillTellsTheCause(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Delivery: pool.AtMostOnce})
	_, err := crowd.Call(bound(t), p, 500)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits[0].Stderr).To(ContainSubstring("panic: not recovered"))
	g.Expect(len(lost.Exits[0].Stderr)).To(BeNumerically("<=", 4<<10))
	g.Expect(err).To(MatchError(ContainSubstring(`stderr: "panic: not recovered`)))
}

// crowd crashes with so many goroutines that the Go runtime writes a long report.
var crowd = pool.Register("crowd", func(_ context.Context, n int) (int, error) {
	debug.SetTraceback("all")
	for range n {
		go func() { select {} }()
	}
	return 0, perish("goroutine panic")
})

func TestAnOutputSinkThatUsesThePoolOrBlocksHoldsUpNoReplacement(t *testing.T) {
	long(t)
	beside(t)
	for name, sink := range map[string]func(p *pool.Pool, forever chan struct{}){
		"uses the pool": func(p *pool.Pool, _ chan struct{}) { p.Workers() },
		"blocks":        func(_ *pool.Pool, forever chan struct{}) { <-forever },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			forever := make(chan struct{})
			var used atomic.Pointer[pool.Pool]
			p := start(t, pool.Config{Size: 1, Stderr: func(string, []byte) {
				if p := used.Load(); p != nil {
					sink(p, forever)
				}
			}})
			t.Cleanup(func() { close(forever) }) // before the pool's own, which looks for goroutines that are left
			used.Store(p)
			for range 2 {
				g.Expect(dieOnce.Call(bound(t), p, "goroutine panic")).To(Equal(2))
			}
			whole(t, p)
		})
	}
}

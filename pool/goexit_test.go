package pool_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// leave ends the goroutine that it runs in, if it is told to, as t.FailNow does.
var leave = pool.Register("leave", func(_ context.Context, now bool) (int, error) {
	if now {
		runtime.Goexit()
	}
	return 1, nil
})

func TestAHandlerThatEndsItsGoroutineEndsItsTaskAlone(t *testing.T) {
	inProcess, _ := pool.InProcess(pool.Config{Size: 1, Delivery: pool.AtMostOnce})
	for _, cfg := range []pool.Config{{Size: 1, Delivery: pool.AtMostOnce}, inProcess} {
		g, p := NewWithT(t), start(t, cfg)
		before := p.Workers()[0].PID
		var tasks []*pool.Future[int]
		for n := range 300 { // several at a time, for the batch to go on
			tasks = append(tasks, leave.Submit(bound(t), p, n%3 == 1))
		}
		for n, f := range tasks {
			v, err := f.Result(bound(t))
			if n%3 == 1 {
				g.Expect(err).To(MatchError(ContainSubstring(`task "leave" panicked: the handler called runtime.Goexit`)))
				continue
			}
			g.Expect(v, err).To(Equal(1))
		}
		g.Expect(p.Workers()[0].PID).To(Equal(before))
		g.Expect(p.Close()).To(Succeed())
	}
}

var quitAtBoot = pool.RegisterInit("quit-at-boot", func(context.Context, int) error { runtime.Goexit(); return nil })

func TestAnInitializerThatEndsItsGoroutineFailsTheBootAtOnce(t *testing.T) {
	inProcess, _ := pool.InProcess(pool.Config{})
	for _, cfg := range []pool.Config{{}, inProcess} {
		g := NewWithT(t)
		cfg.Size, cfg.Initializer, cfg.BootTimeout = 1, quitAtBoot.With(0), time.Hour
		cfg.Backoff = pool.Backoff{Base: time.Millisecond, Threshold: 2}
		_, err := pool.New(bound(t), cfg)
		g.Expect(err).To(MatchError(pool.ErrCrashLoop))
		g.Expect(err).To(MatchError(ContainSubstring(`initializer "quit-at-boot" called runtime.Goexit`)))
	}
}

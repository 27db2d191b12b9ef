package pool_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// slowly fails only after a while, wherever the file does not spare it.
var slowly = pool.RegisterInit("test.slowly", func(ctx context.Context, path string) error {
	if path != "" && !fileExists(path) {
		return nil
	}
	<-time.After(150 * time.Millisecond)
	return errors.New("the database is away")
})

// slowFailures is a backoff whose score failures of slowly never get to the threshold, as those of an initializer that
// needs seconds do not with the defaults: the score stays below 1/(1-2^(-150/200)) = 2.5.
var slowFailures = pool.Backoff{
	Base: time.Millisecond, Max: 10 * time.Millisecond, Threshold: 4, HalfLife: 200 * time.Millisecond,
}

func TestNewGivesUpOnWorkersThatFailSlowly(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	_, err := pool.New(bound(t), pool.Config{Size: 1, Initializer: slowly.With(""), Backoff: slowFailures})
	g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(ContainSubstring("the database is away"))))
	g.Expect(children()).To(BeEmpty())
}

func TestACallFailsOnceReplacementsHaveFailedSlowlyInARow(t *testing.T) {
	takes.Seconds(t)
	g, path := NewWithT(t), fault(t)
	p := start(t, pool.Config{Size: 1, Initializer: slowly.With(path), Backoff: slowFailures})
	create(t, path)
	kill(t, pids(p)[0], syscall.SIGKILL)
	g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(patience).Should(BeZero())
	_, err := square.Call(bound(t), p, 3)
	g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(ContainSubstring("the database is away"))))
}

func TestNewWhoseContextEndsTellsWhatItWaitedFor(t *testing.T) {
	g := NewWithT(t)
	ctx, cancel := context.WithCancel(bound(t))
	defer cancel()
	cfg := pool.Config{Size: 1, Backoff: pool.Backoff{Base: time.Hour, Max: time.Hour}}
	refusals := 0
	_, err := pool.New(ctx, cfg.Refusing(func() syscall.Errno {
		if refusals++; refusals == 2 { // the first one has been noted
			cancel()
		}
		return syscall.EAGAIN
	}))
	g.Expect(err).To(And(MatchError(context.Canceled), MatchError(syscall.EAGAIN), Not(MatchError(pool.ErrCrashLoop))))
	var boot *pool.BootError
	g.Expect(errors.As(err, &boot)).To(BeTrue())
}

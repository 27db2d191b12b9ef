package pooltest_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gleak"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/pooltest"
)

// runs and begun are seen by the handlers of workers in this process alone.
var (
	runs  atomic.Int64
	begun = make(chan struct{}, 100)
)

var (
	double = pool.Register("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	block  = pool.Register("block", func(ctx context.Context, upTo int) (int, error) {
		runs.Add(1)
		if pool.Attempt(ctx) < upTo {
			begun <- struct{}{}
			<-ctx.Done()
		}
		return pool.Attempt(ctx), ctx.Err()
	})
	fails = pool.Register("fails", func(_ context.Context, s string) (string, error) { return "", errors.New(s) })
)

func TestWorkersInThisProcessDoWhatProcessesDo(t *testing.T) {
	g, p := NewWithT(t), pooltest.InProcess(t, pool.Config{Size: 3})
	g.Expect(double.Call(t.Context(), p, 21)).To(Equal(42))
	in := slices.Repeat([]int{1, 2, 3}, 1000)
	out, err := double.Map(t.Context(), p, in)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(out).To(Equal(slices.Repeat([]int{2, 4, 6}, 1000)))
	_, err = fails.Call(t.Context(), p, "no such file")
	var failed *pool.HandlerError
	g.Expect(errors.As(err, &failed)).To(BeTrue())
	g.Expect(err).To(MatchError(ContainSubstring("no such file")))
	_, err = fails.Call(t.Context(), p, string(make([]byte, 5<<20)))
	g.Expect(err).To(MatchError(pool.ErrPayloadTooLarge))
	for _, w := range p.Workers() {
		g.Expect(syscall.Kill(w.PID, 0)).To(MatchError(syscall.ESRCH), "no process can have the number %d", w.PID)
	}
}

func TestATaskWhoseWorkerInThisProcessIsKilledRunsAgainAndIsCharged(t *testing.T) {
	g, p := NewWithT(t), pooltest.InProcess(t, pool.Config{Size: 2, Budgets: pool.Budgets{Killed: 3}})
	runs.Store(0)
	kill := func() {
		<-begun
		_, err := pooltest.Kill(p, slices.IndexFunc(p.Workers(), busy))
		g.Expect(err).NotTo(HaveOccurred())
	}
	before := p.Workers()
	f := block.Submit(t.Context(), p, 3)
	kill()
	kill()
	g.Expect(f.Result(t.Context())).To(Equal(3))
	g.Expect(runs.Load()).To(BeEquivalentTo(3))
	g.Expect(p).To(pooltest.RecoverWithin(patience))
	g.Expect(p.Workers()).NotTo(Equal(before))

	f = block.Submit(t.Context(), p, 100)
	for range 3 {
		kill()
	}
	_, err := f.Result(t.Context())
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(3))
	g.Expect(lost.Exits[0].Signal).To(Equal(syscall.SIGKILL))
	g.Expect(p).To(pooltest.RecoverWithin(patience))
}

func TestSIGTERMLetsAWorkerInThisProcessFinish(t *testing.T) {
	g, p := NewWithT(t), pooltest.InProcess(t, pool.Config{Size: 1})
	recorder := pooltest.Record(p)
	_, err := pooltest.Signal(p, 0, syscall.SIGTERM)
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(recorder.Exits).WithTimeout(patience).Should(HaveLen(1))
	g.Expect(recorder.Exits()[0].Kind).To(Equal(pool.KindClean))
	g.Expect(p).To(pooltest.RecoverWithin(patience))
}

func TestNothingIsLeftOfWorkersInThisProcess(t *testing.T) {
	g := NewWithT(t)
	before := gleak.Goroutines()
	for range 20 {
		t.Run("pool", func(t *testing.T) {
			g, p := NewWithT(t), pooltest.InProcess(t, pool.Config{Size: 4, Spares: 1})
			f := block.Submit(t.Context(), p, 2)
			<-begun
			_, err := pooltest.Kill(p, slices.IndexFunc(p.Workers(), busy))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(f.Result(t.Context())).To(Equal(2))
		})
	}
	g.Eventually(gleak.Goroutines).WithTimeout(patience).ShouldNot(gleak.HaveLeaked(before))
}

func busy(w pool.WorkerInfo) bool { return w.Phase == pool.PhaseRunning }

func TestNothingIsLeftOfAWorkerInThisProcessThatACrashPointEnded(t *testing.T) {
	for _, at := range []pool.CrashPoint{
		pool.CrashBeforeRead, pool.CrashAfterRead, pool.CrashMidExec, pool.CrashMidWrite, pool.CrashAfterWrite,
	} {
		t.Run(at.String(), func(t *testing.T) {
			before := gleak.Goroutines()
			t.Run("pool", func(t *testing.T) {
				g, p := NewWithT(t), pooltest.InProcess(t, pool.Config{Size: 1})
				_, err := p.ArmCrashPoint(0, at)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(double.Call(t.Context(), p, 4)).To(Equal(8))
			})
			NewWithT(t).Eventually(gleak.Goroutines).WithTimeout(patience).ShouldNot(gleak.HaveLeaked(before))
		})
	}
}

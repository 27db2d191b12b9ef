package pooltest_test

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/pooltest"
)

func TestMain(m *testing.M) {
	pool.Main()
	os.Exit(m.Run())
}

var nap = pool.Register("nap", func(ctx context.Context, d time.Duration) (int, error) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
	return os.Getpid(), nil
})

func start(t *testing.T, cfg pool.Config) *pool.Pool {
	t.Helper()
	p, err := pool.New(t.Context(), cfg)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Terminate)
	return p
}

const patience = 30 * time.Second

func TestAKilledWorkerIsRecordedReplacedAndProbed(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 3})
	recorder := pooltest.Record(p)
	before := p.Workers()
	g.Expect(p).To(pooltest.HaveReady(3))
	g.Expect(p).To(pooltest.HaveTurnedOver(before, 0))

	victim, err := pooltest.Kill(p, 1)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(victim.Name).To(Equal(before[1].Name))
	g.Eventually(recorder.Exits).WithTimeout(patience).Should(HaveLen(1))
	g.Expect(recorder.Exits()[0].Signal).To(Equal(syscall.SIGKILL))

	g.Expect(p).To(pooltest.RecoverWithin(patience))
	g.Expect(p).To(pooltest.HaveReady(3))
	g.Expect(p).To(pooltest.HaveTurnedOver(before, 1))
	g.Expect(p).NotTo(pooltest.HaveTurnedOver(before, 2))

	recorder.Close()
	recorder.Close()
	g.Expect(recorder.Events(pool.WorkerReady)).To(HaveLen(1))
	g.Expect(len(recorder.Events())).To(BeNumerically(">", 2))
	g.Expect(recorder.Dropped()).To(BeZero())
}

func TestHaveSettledAllTellsWhatIsNot(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	ctx, cancel := context.WithCancel(t.Context())
	nap.Submit(ctx, p, time.Hour)
	nap.Submit(ctx, p, time.Hour)
	m := pooltest.HaveSettledAll()
	g.Expect(m.Match(p)).To(BeFalse())
	g.Expect(m.FailureMessage(p)).To(ContainSubstring("to have settled all 2 tasks; 2 are not"))
	cancel()
	g.Eventually(p).WithTimeout(patience).Should(pooltest.HaveSettledAll())
}

func TestRecoverWithinSaysWhichSlotDidNotAnswer(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, Heartbeat: -1})
	w, err := pooltest.Signal(p, 1, syscall.SIGSTOP)
	g.Expect(err).NotTo(HaveOccurred())
	state := func() string { stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.PID)); return string(stat) }
	g.Eventually(state).WithTimeout(patience).Should(ContainSubstring(") T "))
	m := pooltest.RecoverWithin(200 * time.Millisecond)
	g.Expect(m.Match(p)).To(BeFalse())
	g.Expect(m.FailureMessage(p)).To(And(ContainSubstring("to recover within 200ms"), ContainSubstring("slot 1"),
		Not(ContainSubstring("slot 0"))))
	_, err = pooltest.Signal(p, 1, syscall.SIGCONT)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p).To(pooltest.RecoverWithin(patience))
}

func TestTheMatchersFailOnWhatIsNotSo(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	m := pooltest.HaveReady(2)
	g.Expect(m.Match(p)).To(BeFalse())
	g.Expect(m.FailureMessage(p)).To(HaveSuffix("to have 2 ready workers; it has 1"))
	_, err := m.Match("a string")
	g.Expect(err).To(HaveOccurred())
	_, err = m.Match((*pool.Pool)(nil))
	g.Expect(err).To(MatchError(ContainSubstring("want a *pool.Pool")))
}

func TestKillSaysWhyThereIsNobodyToKill(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	_, err := pooltest.Kill(p, 7)
	g.Expect(err).To(MatchError(pool.ErrNoSuchSlot))
	p.Terminate()
	_, err = pooltest.Kill(p, 0)
	g.Expect(err).To(MatchError(ContainSubstring("slot 0 has no ready worker")))
}

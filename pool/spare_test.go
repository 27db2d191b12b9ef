package pool_test

import (
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// onBench lists the pids of the pool's hot spares.
func onBench(p *pool.Pool) (spares []int) {
	inSlots := map[int]bool{}
	for _, w := range p.Workers() {
		inSlots[w.PID] = true
	}
	return slices.DeleteFunc(descendants(p.ID()), func(pid int) bool { return inSlots[pid] })
}

func TestAHotSpareTakesOverWhileNothingElseCanBoot(t *testing.T) {
	g, path := NewWithT(t), fault(t)
	p := start(t, pool.Config{Size: 2, Spares: 1, Initializer: setState.With("hang-while-exists:" + path)})
	g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(1))
	g.Expect(p.Workers()).To(HaveLen(2), "a spare is listed only once it has a slot")
	spare := onBench(p)
	g.Expect(spare).To(HaveLen(1))

	create(t, path)
	before := pids(p)
	kill(t, before[1], 9)
	v, err := attempt.Call(bound(t), p, 0, pool.OnSlot(1))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.PID).To(Equal(spare[0]))
	w := p.Workers()[1]
	g.Expect(w.Generation).To(Equal(2))
	g.Expect(w.LastExit.PID).To(Equal(before[1]))
	g.Expect(p.Stats().Spares).To(BeZero())
	g.Expect(pids(p)[0]).To(Equal(before[0]))

	open(t, path)
	g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(1))
	whole(t, p)
}

func TestADeadSpareIsReplacedOnTheBench(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Spares: 2})
	g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(2))
	before := pids(p)
	for range 3 {
		old := onBench(p)
		kill(t, old[0], 9)
		g.Eventually(func() []int { return onBench(p) }).WithTimeout(patience).
			Should(And(HaveLen(2), Not(ContainElement(old[0]))))
		g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(2))
	}
	g.Expect(pids(p)).To(Equal(before))
	g.Expect(p.Stats().Ready).To(Equal(1))
	g.Expect(p.Stats().BootFailures).To(BeZero())
	whole(t, p)
}

func TestSparesAndWorkersKilledTogetherAllComeBack(t *testing.T) {
	takes.Seconds(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, Spares: 2, Heartbeat: -1, CancelGrace: -time.Second})
	for range 10 {
		g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(2))
		for _, pid := range descendants(p.ID()) {
			kill(t, pid, 9)
		}
		whole(t, p)
	}
	g.Expect(p.Close()).To(Succeed())
	g.Expect(children()).To(BeEmpty())
}

// The breaker opens as the only worker dies, while a spare is ready to take its place.
func TestTasksAreNotFailedWhileASpareIsReady(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{
		Size: 1, Spares: 1, Backoff: pool.Backoff{Threshold: 1, Base: 20 * time.Second, Max: 20 * time.Second},
	})
	g.Eventually(func() int { return p.Stats().Spares }).WithTimeout(patience).Should(Equal(1))
	dying, behind := dieOnce.Submit(bound(t), p, "exit 42"), square.Submit(bound(t), p, 3)
	g.Expect(dying.Result(bound(t))).To(Equal(2))
	g.Expect(behind.Result(bound(t))).To(Equal(9))
	whole(t, p)
}

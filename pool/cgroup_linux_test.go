package pool_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/pool"

	. "github.com/onsi/gomega"
)

func TestACgroupThatSomebodyHoldsOnToDoesNotHoldUpThePool(t *testing.T) {
	needMemoryCgroup(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, HardMemory: hard})
	worker := p.Workers()[0]
	cg, err := cgroup.Of(worker.PID, cgroup.Memory)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cg.Dir(cgroup.Memory)).To(Equal(worker.Cgroup))
	unpin, err := cg.Pin() // as a fault does that reads its counters
	g.Expect(err).NotTo(HaveOccurred())

	kill(t, worker.PID, syscall.SIGKILL)

	whole(t, p)
	g.Expect(cg.OOMKills()).To(BeZero(), "the counters of the dead can be read")
	g.Expect(unpin()).To(Succeed())
	g.Eventually(worker.Cgroup).WithTimeout(patience).ShouldNot(BeADirectory(), "it is removed then")
}

var ownOOMScore = pool.Register("own-oom-score", func(context.Context, int) (int, error) { return oomScore() })

func oomScore() (int, error) {
	data, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(data)))
}

func TestTheKernelPrefersAWorkerToItsHostWhenMemoryIsShort(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	host, err := oomScore()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ownOOMScore.Call(bound(t), p, 0)).To(And(BeNumerically(">=", 500), BeNumerically(">=", host)))
}

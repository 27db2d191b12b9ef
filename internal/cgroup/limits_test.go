package cgroup_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

const mib = 1 << 20

func TestKernelKillsAMemberAboveItsMemoryLimit(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.Memory)
	hog := player(t, "alloc 128")
	g.Expect(cg.Add(hog.pid())).To(Succeed())
	g.Expect(cg.SetMemoryMax(32 * mib)).To(Succeed())
	g.Expect(cg.OOMKills()).To(BeZero())

	hog.tell(t)

	status := hog.ended(t)
	g.Expect(status.Signaled()).To(BeTrue(), "status %x", status)
	g.Expect(status.Signal()).To(Equal(syscall.SIGKILL))
	g.Expect(cg.OOMKills()).To(BeEquivalentTo(1))
	g.Expect(cg.LocalOOMKills()).To(BeEquivalentTo(1))
}

func TestMemberBelowItsMemoryLimitLives(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.Memory)
	member := player(t, "alloc 32")
	g.Expect(cg.Add(member.pid())).To(Succeed())
	g.Expect(cg.SetMemoryMax(128 * mib)).To(Succeed())

	member.tell(t)

	g.Expect(member.says(t)).To(Equal("held"))
	// the race detector doubles it
	g.Expect(cg.MemoryCurrent()).To(And(BeNumerically(">=", 32*mib), BeNumerically("<", 128*mib)))
	g.Expect(cg.OOMKills()).To(BeZero())
	g.Expect(cg.SetMemoryMax(0)).To(Succeed())
	g.Expect(cg.SetMemoryMax(256 * mib)).To(Succeed())
	g.Expect(cg.SetMemoryMax(128 * mib)).To(Succeed())
}

func TestMemoryLimitBelowTheUse(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.Memory)
	member := player(t, "alloc 48")
	g.Expect(cg.Add(member.pid())).To(Succeed())
	member.tell(t)
	g.Expect(member.says(t)).To(Equal("held"))

	err := cg.SetMemoryMax(16 * mib)

	if cg.Version(cgroup.Memory) == 1 {
		g.Expect(err).To(MatchError(cgroup.ErrBusy), "version 1 refuses the limit")
		g.Expect(cg.OOMKills()).To(BeZero())
		return
	}
	g.Expect(err).NotTo(HaveOccurred(), "version 2 takes the limit and kills")
	g.Expect(member.ended(t).Signal()).To(Equal(syscall.SIGKILL))
	g.Expect(cg.OOMKills()).To(BeEquivalentTo(1))
}

func TestForkIsRefusedAboveThePidsLimit(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.Pids)
	forker := shell(t, "read x; for i in 1 2 3 4 5 6; do sleep 60 & done 2>/dev/null; echo all")
	g.Expect(cg.Add(forker.pid())).To(Succeed())
	g.Expect(cg.SetPidsMax(3)).To(Succeed())
	g.Expect(cg.PidsCurrent()).To(BeEquivalentTo(1))

	forker.tell(t)

	g.Eventually(cg.PidsRefused).WithTimeout(20 * time.Second).Should(BeNumerically(">", 0))
	g.Expect(cg.PidsCurrent()).To(BeNumerically("<=", 3))
	g.Expect(forker.ended(t).ExitStatus()).NotTo(BeZero())
}

func TestProcessIsThrottledUntilItsCPULimitIsLifted(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.CPU)
	spinner := shell(t, "read x; while :; do :; done")
	g.Expect(cg.Add(spinner.pid())).To(Succeed())
	spinner.tell(t)
	g.Expect(cg.CPUThrottled()).To(BeZero())

	g.Expect(cg.SetCPUMax(0.1)).To(Succeed())

	g.Eventually(cg.CPUThrottled).WithTimeout(20 * time.Second).Should(BeNumerically(">=", 3))
	g.Expect(cg.SetCPUMax(0)).To(Succeed())
	lifted, err := cg.CPUThrottled()
	g.Expect(err).NotTo(HaveOccurred())
	g.Consistently(cg.CPUThrottled, "500ms").Should(BeNumerically("<=", lifted+1))
}

func TestTheLeastCPULimitIsTaken(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.CPU)
	g.Expect(cg.SetCPUMax(0.0001)).To(Succeed())
	settings, err := cg.Settings()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(settings).To(HaveLen(1))
	g.Expect(strings.Fields(settings[0].Value)[0]).To(Equal("1000"))
}

func TestRestoreBringsBackEveryLimit(t *testing.T) {
	all := []cgroup.Controller{cgroup.Memory, cgroup.Pids, cgroup.CPU}
	g, cg := NewWithT(t), group(t, all...)
	g.Expect(errors.Join(cg.SetMemoryMax(64*mib), cg.SetPidsMax(50), cg.SetCPUMax(0.5))).To(Succeed())
	before, err := cg.Settings()
	g.Expect(err).NotTo(HaveOccurred())
	for _, other := range []float64{0.5, 2, 0} { // lower, higher, none: the order of writing matters to the kernel
		g.Expect(errors.Join(
			cg.SetMemoryMax(int64(other*64*mib)), cg.SetPidsMax(int(other*50)), cg.SetCPUMax(other*0.5),
		)).To(Succeed())
		g.Expect(cg.Settings()).NotTo(ContainElements(before))

		g.Expect(cgroup.Restore(before)).To(Succeed())

		g.Expect(cg.Settings()).To(ConsistOf(before))
	}
}

func TestRestoreOfAGroupThatIsGone(t *testing.T) {
	gone := []cgroup.Setting{{Path: t.TempDir() + "/gone/pids.max", Value: "max"}}
	NewWithT(t).Expect(cgroup.Restore(gone)).To(Succeed())
	gone[0].Path = os.DevNull + "/pids.max"
	NewWithT(t).Expect(cgroup.Restore(gone)).NotTo(Succeed())
}

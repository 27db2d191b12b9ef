package cgroup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// in is the directory of the group that the process is in.
func in(t *testing.T, pid int, c cgroup.Controller) string {
	t.Helper()
	cg, err := cgroup.Of(pid, c)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return cg.Dir(c)
}

func TestTakeMovesAProcessOutOfASharedGroupAndReleaseBack(t *testing.T) {
	need(t, cgroup.Pids, cgroup.CPU)
	g, victim, bystander := NewWithT(t), shell(t, "read x; sleep 60 & read x"), shell(t, "read x")

	cg, err := cgroup.Take(victim.pid(), "take", cgroup.Pids, cgroup.CPU)

	g.Expect(err).NotTo(HaveOccurred())
	home := in(t, bystander.pid(), cgroup.Pids)
	g.Expect(cg.Procs()).To(ConsistOf(victim.pid()))
	g.Expect(in(t, victim.pid(), cgroup.Pids)).To(Equal(cg.Dir(cgroup.Pids)))
	g.Expect(in(t, victim.pid(), cgroup.CPU)).To(Equal(cg.Dir(cgroup.CPU)))
	g.Expect(cg.SetPidsMax(7)).To(Succeed())
	victim.tell(t) // it has a child now, in the group like itself
	g.Eventually(cg.Procs, "20s").Should(HaveLen(2))

	g.Expect(cg.Release()).To(Succeed())

	g.Expect(in(t, victim.pid(), cgroup.Pids)).To(Equal(home))
	g.Expect(cg.Dir(cgroup.Pids)).NotTo(BeADirectory())
	g.Expect(cg.Release()).To(Succeed(), "twice is fine")
	children, err := os.ReadFile(home + "/cgroup.procs")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(len(strings.Fields(string(children)))).To(BeNumerically(">=", 3), "the child came back too")
}

func TestTakeKeepsAProcessInAGroupOfItsOwn(t *testing.T) {
	g, own := NewWithT(t), group(t, cgroup.Memory)
	victim := shell(t, "read x")
	g.Expect(own.Add(victim.pid())).To(Succeed())
	g.Expect(own.SetMemoryMax(64 * mib)).To(Succeed())
	before, err := own.Settings()
	g.Expect(err).NotTo(HaveOccurred())
	need(t, cgroup.CPU)

	cg, err := cgroup.Take(victim.pid(), "take", cgroup.Memory, cgroup.CPU)

	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cg.Dir(cgroup.Memory)).To(Equal(own.Dir(cgroup.Memory)))
	g.Expect(cg.Saved()).To(ContainElements(before))
	g.Expect(cg.SetMemoryMax(32 * mib)).To(Succeed())
	g.Expect(cg.SetCPUMax(0.05)).To(Succeed(), "a controller that its group did not have")
	g.Expect(own.Settings()).NotTo(ConsistOf(before))

	g.Expect(cg.Release()).To(Succeed())

	g.Expect(own.Settings()).To(ConsistOf(before))
	g.Expect(in(t, victim.pid(), cgroup.Memory)).To(Equal(own.Dir(cgroup.Memory)))
}

func TestTakeOfAProcessThatIsGone(t *testing.T) {
	g, other, victim := NewWithT(t), group(t, cgroup.Pids), shell(t, "")
	victim.ended(t)
	_, err := cgroup.Take(victim.pid(), "take", cgroup.Pids)
	g.Expect(err).To(HaveOccurred())
	g.Expect(filepath.Glob(fmt.Sprintf("%s/respawn-%d-*-take", filepath.Dir(other.Dir(cgroup.Pids)), os.Getpid()))).
		To(BeEmpty(), "no group is left")
}

func TestReleaseAfterTheVictimDied(t *testing.T) {
	need(t, cgroup.Pids)
	g, victim := NewWithT(t), shell(t, "read x")
	cg, err := cgroup.Take(victim.pid(), "take", cgroup.Pids)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cg.SetPidsMax(1)).To(Succeed())
	g.Expect(victim.Process.Kill()).To(Succeed())
	victim.ended(t)
	g.Expect(cg.Release()).To(Succeed())
	g.Expect(cg.Dir(cgroup.Pids)).NotTo(BeADirectory())
}

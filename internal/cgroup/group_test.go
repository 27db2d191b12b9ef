package cgroup_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// forking keeps starting processes that outlive it, and never ends.
const forking = "read x; while :; do sleep 60 & sleep 0.01; done"

func TestKillEndsEverythingThenRemoveRemoves(t *testing.T) {
	for name, kill := range map[string]func(*cgroup.Group) error{
		"as the version does":   (*cgroup.Group).Kill,
		"by signals":            func(cg *cgroup.Group) error { return cgroup.KillDir(cg.Dir(cgroup.Pids), 1) },
		"by cgroup.kill if any": func(cg *cgroup.Group) error { return cgroup.KillDir(cg.Dir(cgroup.Pids), 2) },
	} {
		t.Run(name, func(t *testing.T) {
			g, cg := NewWithT(t), group(t, cgroup.Pids, cgroup.CPU)
			forker, stopped := shell(t, forking), shell(t, "read x")
			g.Expect(cg.Add(forker.pid())).To(Succeed())
			g.Expect(cg.Add(stopped.pid())).To(Succeed())
			g.Expect(stopped.Process.Signal(syscall.SIGSTOP)).To(Succeed())
			forker.tell(t)
			g.Eventually(cg.Procs, "20s").Should(Satisfy(func(pids []int) bool { return len(pids) > 4 }))

			g.Expect(kill(cg)).To(Succeed())

			g.Expect(cg.Procs()).To(BeEmpty())
			g.Expect(forker.ended(t).Signal()).To(Equal(syscall.SIGKILL))
			g.Expect(stopped.ended(t).Signal()).To(Equal(syscall.SIGKILL))
			g.Expect(cg.Remove()).To(Succeed())
			g.Expect(cg.Dir(cgroup.Pids)).NotTo(BeADirectory())
			g.Expect(cg.Dir(cgroup.CPU)).NotTo(BeADirectory())
			g.Expect(cg.Remove()).To(Succeed(), "twice is fine")
			g.Expect(kill(cg)).To(Succeed(), "nothing is left to kill")
		})
	}
}

func TestCreateTwiceByOneName(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.Pids)
	_, name, _ := strings.Cut(filepath.Base(cg.Dir(cgroup.Pids)), strconv.Itoa(os.Getpid())+"-")
	_, name, _ = strings.Cut(name, "-") // the token

	_, err := cgroup.Create(name, cgroup.Pids)

	g.Expect(err).To(MatchError(os.ErrExist))
	g.Expect(cg.Dir(cgroup.Pids)).To(BeADirectory(), "the first one stays")
}

func TestPinKeepsTheCountersOfTheDead(t *testing.T) {
	g, cg := NewWithT(t), group(t, cgroup.Memory)
	hog := player(t, "alloc 128")
	g.Expect(cg.Add(hog.pid())).To(Succeed())
	unpin, err := cg.Pin()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cg.SetMemoryMax(32 * mib)).To(Succeed())
	hog.tell(t)
	hog.ended(t)

	g.Expect(syscall.Rmdir(cg.Dir(cgroup.Memory))).To(MatchError(syscall.EBUSY), "what its owner would do now")

	g.Expect(cg.OOMKills()).To(BeEquivalentTo(1))
	g.Expect(unpin()).To(Succeed())
	g.Expect(syscall.Rmdir(cg.Dir(cgroup.Memory))).To(Succeed())
}

func TestSweepRemovesWhatTheDeadLeft(t *testing.T) {
	g, mine := NewWithT(t), group(t, cgroup.Pids)
	dead := player(t, "leave")
	dead.tell(t)
	left, _, _ := strings.Cut(dead.says(t), " ")
	g.Expect(left).To(BeADirectory())
	dead.ended(t)

	removed, _ := cgroup.Sweep() // it may also find what others left, with processes

	g.Expect(removed).To(ContainElement(left))
	g.Expect(left).NotTo(BeADirectory())
	g.Expect(mine.Dir(cgroup.Pids)).To(BeADirectory(), "its caller lives")
}

func TestSweepNamesAGroupThatHoldsProcesses(t *testing.T) {
	need(t, cgroup.Pids)
	g, resident := NewWithT(t), shell(t, "read x")
	dead := player(t, "leave "+strconv.Itoa(resident.pid()))
	dead.tell(t)
	left, _, _ := strings.Cut(dead.says(t), " ")
	g.Expect(dead.says(t)).To(Equal("<nil>"))
	dead.ended(t)

	_, err := cgroup.Sweep()

	g.Expect(err).To(MatchError(ContainSubstring(left)))
	g.Expect(left).To(BeADirectory())
	g.Expect(syscall.Kill(resident.pid(), 0)).To(Succeed(), "nobody is hurt")
	g.Expect(resident.Process.Kill()).To(Succeed())
	resident.ended(t)
	_, _ = cgroup.Sweep()
	g.Expect(left).NotTo(BeADirectory())
}

func TestRemoveLeftTakesThePinsOfTheDeadAlong(t *testing.T) {
	need(t, cgroup.Pids)
	g, dead := NewWithT(t), player(t, "leave pinned")
	dead.tell(t)
	left, _, _ := strings.Cut(dead.says(t), " ")
	t.Cleanup(func() { _ = cgroup.RemoveLeft(left, 0) })
	mine := filepath.Join(left, "respawn-"+strconv.Itoa(os.Getpid())+"-pin-0")
	g.Expect(os.Mkdir(mine, 0o755)).To(Succeed())
	dead.ended(t)
	g.Expect(filepath.Glob(left + "/respawn-*-pin-*")).To(HaveLen(2))

	g.Expect(cgroup.RemoveLeft(left, 0)).To(MatchError(syscall.EBUSY), "I live")
	g.Expect(filepath.Glob(left + "/respawn-*-pin-*")).To(ConsistOf(mine))

	g.Expect(syscall.Rmdir(mine)).To(Succeed())
	g.Expect(cgroup.RemoveLeft(left, 0)).To(Succeed())
	g.Expect(left).NotTo(BeADirectory())
	g.Expect(cgroup.RemoveLeft(left, 0)).To(Succeed(), "twice is fine")
}

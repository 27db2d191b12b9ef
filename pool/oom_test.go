package pool_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// hard is a memory limit under which a worker of this test program, race detector included, lives comfortably; flood
// is more than that.
const (
	hard  = 128 * pool.MiB
	flood = int(4 * hard)
)

// needMemoryCgroup skips a test where no memory cgroup can be had; else it returns the directory that they are made in.
func needMemoryCgroup(t *testing.T) (parent string) {
	t.Helper()
	g, err := cgroup.Create("test", cgroup.Memory)
	if err != nil {
		t.Skipf("needs a memory cgroup of its own: %v", err)
	}
	NewWithT(t).Expect(g.Remove()).To(Succeed())
	return filepath.Dir(g.Dir(cgroup.Memory))
}

// needDataLimit skips a test where RLIMIT_DATA cannot hold a Go program.
func needDataLimit(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("needs RLIMIT_DATA to count what is used: the race detector's shadow memory alone is over any limit")
	}
}

func TestAKernelOOMKillIsReportedAsOOMAndSpendsItsBudget(t *testing.T) {
	takes.Seconds(t)
	needMemoryCgroup(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, HardMemory: hard, Budgets: pool.Budgets{OOM: 2}})
	before := p.Workers()
	for _, w := range before {
		g.Expect(w.Cgroup).To(BeADirectory())
	}
	_, err := leak.Call(bound(t), p, flood)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(2))
	for _, x := range lost.Exits {
		g.Expect(x.Kind).To(Equal(pool.KindOOM))
		g.Expect(x.OOM).To(Equal("cgroup oom_kill +1"))
		g.Expect(x.Signal).To(Equal(syscall.SIGKILL))
		g.Expect(x.Reason).To(Equal(pool.ReasonNone))
	}
	g.Expect(err).To(MatchError(ContainSubstring("out of memory: cgroup oom_kill +1")))
	g.Expect(p.Stats().OOM).To(BeEquivalentTo(2))
	g.Expect(p.Stats().Killed).To(BeZero())
	whole(t, p)
	now := p.Workers()
	p.Terminate()
	for _, w := range append(before, now...) {
		g.Expect(w.Cgroup).NotTo(BeADirectory(), "its cgroup went with it")
	}
}

func TestASIGKILLFromOutsideInAMemoryCgroupIsNotOOM(t *testing.T) {
	needMemoryCgroup(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, HardMemory: hard})
	g.Expect(dieOnce.Call(bound(t), p, "SIGKILL")).To(Equal(2))
	g.Expect(p.Stats().OOM).To(BeZero())
	g.Expect(p.Stats().Killed).To(BeEquivalentTo(1))
}

func TestAHardLimitEndsWhatTheWorkerStartedToo(t *testing.T) {
	takes.Seconds(t)
	needMemoryCgroup(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, HardMemory: hard})
	child, err := spawn.Call(bound(t), p, "in a session of its own, without the marker")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(isAlive(child)).To(BeTrue())
	kill(t, pids(p)[0], syscall.SIGKILL)
	whole(t, p)
	g.Eventually(func() bool { return isAlive(child) }).WithTimeout(patience).Should(BeFalse(),
		"a grandchild in a session of its own is in the worker's cgroup")
}

func TestWithoutACgroupTheDataLimitIsReportedAsOOM(t *testing.T) {
	needDataLimit(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, HardMemory: hard, NoCgroup: true})
	for _, w := range p.Workers() {
		g.Expect(w.Cgroup).To(BeEmpty())
	}
	g.Expect(leak.Call(bound(t), p, 1<<20)).To(BeNumerically(">", 0), "a task within the limit is fine")
	_, err := leak.Call(bound(t), p, flood)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(3), "the default budget")
	for _, x := range lost.Exits {
		g.Expect(x.Kind).To(Equal(pool.KindOOM), "%s", x.Stderr)
		g.Expect(x.OOM).To(Or(Equal("runtime: out of memory"), HavePrefix("RLIMIT_DATA: ")))
		g.Expect(x.Code).To(Equal(2))
	}
	whole(t, p)
}

// The Go runtime ends with SIGABRT then, after the reports of all its threads, for which it may wait until the pool
// finds it stalled.
func TestOutOfMemoryIsOOMAlsoWhereACrashIsToAbort(t *testing.T) {
	long(t)
	needDataLimit(t)
	beside(t)
	g := NewWithT(t)
	p := start(t, pool.Config{
		Size: 1, HardMemory: hard, NoCgroup: true, Heartbeat: 3 * time.Second, Env: []string{"GOTRACEBACK=crash"},
		Budgets: pool.Budgets{Crashes: 1, OOM: 2},
	})
	_, err := leak.Call(bound(t), p, flood)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(2))
	for _, x := range lost.Exits {
		g.Expect(x.Signal).To(Or(Equal(syscall.SIGABRT), Equal(syscall.SIGKILL)))
		g.Expect(x.Kind).To(Equal(pool.KindOOM), "%s", x.Stderr)
		g.Expect(x.OOM).To(Or(Equal("runtime: out of memory"), HavePrefix("RLIMIT_DATA: no memory left")))
	}
	whole(t, p)
}

func TestALimitedWorkerStillMovesLargePayloads(t *testing.T) {
	takes.Seconds(t)
	needMemoryCgroup(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, HardMemory: hard})
	before := pids(p)
	for range 5 {
		g.Expect(echo.Call(bound(t), p, make([]byte, 8<<20))).To(HaveLen(8 << 20))
	}
	g.Expect(pids(p)).To(Equal(before))
}

func TestNoCgroupIsLeftBehind(t *testing.T) {
	parent := needMemoryCgroup(t)
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 3, HardMemory: hard})
	for _, pid := range pids(p) {
		kill(t, pid, syscall.SIGKILL)
	}
	whole(t, p)
	g.Expect(p.Resize(1)).To(Succeed())
	g.Expect(p.Close()).To(Succeed())
	g.Expect(filepath.Glob(filepath.Join(parent, fmt.Sprintf("respawn-%d-*", os.Getpid())))).To(BeEmpty())
}

package procfs_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
)

// start starts a program that is gone at the end of the test.
func start(t *testing.T, env string, argv ...string) int {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	if env != "" {
		cmd.Env = append(os.Environ(), env)
	}
	NewWithT(t).Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error means that it was reaped
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestReadTellsWhatAProcessIs(t *testing.T) {
	g := NewWithT(t)
	pid := start(t, "", "sleep", "1000")
	p, err := procfs.Read(pid)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p.PPID).To(Equal(os.Getpid()))
	g.Expect(p.Alive()).To(BeTrue())
	me, err := procfs.Read(os.Getpid())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(me.RSS).To(BeNumerically(">", 1<<20))
	g.Expect(p.Started).To(BeNumerically(">=", me.Started))

	g.Expect(syscall.Kill(pid, syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() byte { p, _ := procfs.Read(pid); return p.State }).Should(Equal(byte('Z')))
	p, err = procfs.Read(pid)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p.Alive()).To(BeFalse(), "a zombie is not alive")

	_, err = procfs.Read(1 << 30)
	g.Expect(errors.Is(err, fs.ErrNotExist)).To(BeTrue())
}

// A program's name may hold what ends the name in /proc/PID/stat.
func TestReadUnderstandsAnyName(t *testing.T) {
	g := NewWithT(t)
	path, err := exec.LookPath("sleep")
	g.Expect(err).NotTo(HaveOccurred())
	link := t.TempDir() + "/a) Z 1 (b"
	g.Expect(os.Symlink(path, link)).To(Succeed())
	pid := start(t, "", link, "1000")
	g.Eventually(func() string {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return strings.TrimSpace(string(name))
	}).Should(Equal("a) Z 1 (b"))
	p, err := procfs.Read(pid)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p.PPID).To(Equal(os.Getpid()))
	g.Expect(p.Alive()).To(BeTrue())
}

func TestStopped(t *testing.T) {
	g := NewWithT(t)
	pid := start(t, "", "sleep", "1000")
	g.Expect(procfs.Stopped(pid)).To(BeFalse())
	g.Expect(syscall.Kill(pid, syscall.SIGSTOP)).To(Succeed())
	g.Eventually(func() bool { s, _ := procfs.Stopped(pid); return s }).Should(BeTrue())
	g.Expect(syscall.Kill(pid, syscall.SIGCONT)).To(Succeed())
	g.Eventually(func() bool { s, _ := procfs.Stopped(pid); return s }).Should(BeFalse())
	_, err := procfs.Stopped(1 << 30)
	g.Expect(err).To(MatchError(fs.ErrNotExist))
}

func TestMarked(t *testing.T) {
	g := NewWithT(t)
	pid := start(t, "MARK=yes", "sleep", "1000")
	g.Eventually(func() bool { return procfs.Marked(pid, "MARK=yes") }).Should(BeTrue())
	g.Expect(procfs.Marked(pid, "MARK=ye")).To(BeFalse())
	g.Expect(procfs.Marked(pid, "ARK=yes")).To(BeFalse())
	g.Expect(procfs.Marked(1<<30, "MARK=yes")).To(BeFalse())
}

// A zombie's end is behind it; that the flag comes long before the state does is tested in scenarios/targets/driver.
func TestTheDeadAreExitingAndTheLivingAreNot(t *testing.T) {
	g := NewWithT(t)
	pid := start(t, "", "sleep", "1000")
	g.Expect(procfs.Read(pid)).To(HaveField("Exiting", false))
	g.Expect(syscall.Kill(pid, syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() (procfs.Proc, error) { return procfs.Read(pid) }).WithTimeout(20 * time.Second).
		Should(And(HaveField("Alive()", false), HaveField("Exiting", true)))
}

func TestFamily(t *testing.T) {
	g := NewWithT(t)
	shell := start(t, "", "sh", "-c", "sleep 1000 & wait")
	var below []int
	g.Eventually(func() int {
		all, err := procfs.Snapshot()
		g.Expect(err).NotTo(HaveOccurred())
		below = all.Descendants(shell)
		return len(below)
	}).Should(Equal(1))
	t.Cleanup(func() { _ = syscall.Kill(below[0], syscall.SIGKILL) }) // orphaned by then, and nobody else's number
	g.Expect(procfs.Ancestors(below[0])[:2]).To(Equal([]int{shell, os.Getpid()}))
	all, err := procfs.Snapshot()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(all.Has(below[0], func(pid int) bool { return pid == os.Getpid() })).To(BeTrue())
	g.Expect(all.Has(os.Getpid(), func(pid int) bool { return pid == shell })).To(BeFalse())
}

// A table that was read while numbers changed hands may have a cycle.
func TestFamilyOfACycleEnds(t *testing.T) {
	table := procfs.Table{2: {PID: 2, PPID: 3}, 3: {PID: 3, PPID: 2}}
	NewWithT(t).Expect(table.Has(2, func(int) bool { return false })).To(BeFalse())
}

func TestDispositions(t *testing.T) {
	g := NewWithT(t)
	pid := start(t, "", "sh", "-c", "trap '' USR1; trap 'echo' USR2; kill -STOP $$")
	g.Eventually(func() bool {
		d, err := procfs.ReadDispositions(pid)
		return err == nil && d.Ignored.Has(int(syscall.SIGUSR1)) && d.Caught.Has(int(syscall.SIGUSR2))
	}).Should(BeTrue())
	d, err := procfs.ReadDispositions(pid)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(d.Caught.Has(int(syscall.SIGTERM))).To(BeFalse())
	g.Expect(d.Ignored.Has(0)).To(BeFalse())
}

func TestCounts(t *testing.T) {
	g := NewWithT(t)
	before, err := procfs.Files(os.Getpid())
	g.Expect(err).NotTo(HaveOccurred())
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	defer r.Close()
	defer w.Close()
	g.Expect(procfs.Files(os.Getpid())).To(BeNumerically(">=", before+2))

	kills, err := procfs.HostOOMKills()
	if err != nil && strings.Contains(err.Error(), "too old") {
		t.Skip("needs oom_kill in /proc/vmstat: Linux 4.13 or later")
	}
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(kills).To(BeNumerically(">=", 0))

	began, _ := procfs.Read(os.Getpid())
	g.Eventually(func() time.Duration {
		now, _ := procfs.Read(os.Getpid())
		return now.CPU
	}).WithPolling(time.Microsecond).WithTimeout(20 * time.Second).Should(BeNumerically(">", began.CPU))
}

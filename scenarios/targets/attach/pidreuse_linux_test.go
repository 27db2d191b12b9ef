package attach_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos/check"
)

// reusedPIDs is the pid_max of the namespace in which numbers come around, but for the first, which are given out once.
const (
	reusedPIDs   = 700
	reservedPIDs = 300 // RESERVED_PIDS of the kernel
)

// TestATwinIsNotTouchedWhenPIDsAreReused runs its inside in a pid namespace, where the kernel gives out numbers again within seconds.
func TestATwinIsNotTouchedWhenPIDsAreReused(t *testing.T) {
	long(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestInATinyNamespace$", "-test.v")
	cmd.Env = append(os.Environ(), "RESPAWN_TEST_NAMESPACE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil && len(out) == 0:
		t.Skipf("needs a pid namespace: root, or user namespaces for plain users: %v", err)
	case strings.Contains(string(out), "needs a pid_max per namespace"):
		t.Skip("needs a pid_max per namespace: Linux 6.14 or later")
	}
	NewWithT(t).Expect(err).NotTo(HaveOccurred(), "%s", out)
	NewWithT(t).Expect(string(out)).To(ContainSubstring("--- PASS: TestInATinyNamespace"))
}

// TestInATinyNamespace is the inside. Strangers come and go so fast that a victim's number is soon one of theirs.
func TestInATinyNamespace(t *testing.T) {
	if os.Getenv("RESPAWN_TEST_NAMESPACE") == "" {
		t.Skip("runs inside the namespace of TestATwinIsNotTouchedWhenPIDsAreReused")
	}
	g := NewWithT(t)
	g.Expect(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")).To(Succeed())
	g.Expect(unix.Mount("proc", "/proc", "proc", 0, "")).To(Succeed())
	if os.WriteFile("/proc/sys/kernel/pid_max", []byte(fmt.Sprint(reusedPIDs)), 0) != nil {
		t.Skip("needs a pid_max per namespace")
	}
	for last := 0; last <= reservedPIDs; {
		cmd := exec.Command("true")
		g.Expect(cmd.Run()).To(Succeed())
		last = cmd.Process.Pid
	}
	target, _ := start(t)
	twin, beside := start(t)
	before, innocent := children(t, target), children(t, twin)
	ctx, cancel := context.WithCancel(t.Context())
	var strangers sync.WaitGroup
	var mu sync.Mutex
	theirs := map[int]bool{}
	for range 4 {
		strangers.Go(func() {
			for ctx.Err() == nil {
				cmd := exec.Command("bash", "-c", "exec sleep 0.01")
				if !NewWithT(t).Expect(cmd.Run()).To(Succeed(), "a stranger was hit") {
					return
				}
				mu.Lock()
				theirs[cmd.Process.Pid] = true
				mu.Unlock()
			}
		})
	}
	r := run(t, fmt.Sprintf("{pid: %d, name: bash}", target), `chaos:
  - fault: {signal: KILL}
    pick: {each: true}
    when: {after: 1s, every: 1100ms, times: 6}
  - fault: {pause: 100ms}
    when: {after: 1500ms, every: 1100ms, times: 6}
expect:
  - allow processes.zombies <= 100 # this test is process 1 there, and reaps only its own
`)
	cancel()
	strangers.Wait()
	g.Expect(r.Verdict).To(BeElementOf(check.Pass, check.Inconclusive), r.Cause) // a host may be too busy for its floors
	reused := slices.DeleteFunc(slices.Clone(before), func(pid int) bool { return !theirs[pid] })
	g.Expect(reused).NotTo(BeEmpty(), "no victim's number was a stranger's: nothing was tested")
	g.Expect(children(t, twin)).To(Equal(innocent))
	_, err := os.Stat(beside + "/signals")
	g.Expect(err).To(MatchError(os.ErrNotExist))
}

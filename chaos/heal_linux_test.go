package chaos_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// A harness that is killed while its victim is in a group that was made for a fault leaves no group.
func TestGroupOfAHarnessThatIsKilled(t *testing.T) {
	needs(t, cgroup.CPU)
	g := NewWithT(t)
	victim := sleeper(t, ownHarness)
	gone := make(chan struct{})
	go func() { defer close(gone); _, _ = victim.Process.Wait() }()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d,%s,cpu", harnessRole, victim.Process.Pid, t.TempDir()))
	cmd.Stderr = os.Stderr
	g.Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	g.Eventually(func() string { return cgroupsOf(t, victim.Process.Pid) }).WithTimeout(20 * time.Second).
		Should(ContainSubstring("-fault-"))
	g.Expect(cgroup.Owned(cmd.Process.Pid)).NotTo(BeEmpty())
	t.Cleanup(func() {
		for _, dir := range cgroup.Owned(cmd.Process.Pid) {
			_ = cgroup.RemoveLeft(dir, time.Second)
		}
	})

	g.Expect(cmd.Process.Kill()).To(Succeed())
	g.Eventually(gone).WithTimeout(20 * time.Second).Should(BeClosed())
	g.Eventually(func() []string { return cgroup.Owned(cmd.Process.Pid) }).WithTimeout(20 * time.Second).
		Should(BeEmpty())
}

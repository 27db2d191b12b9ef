package guardian

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/reexec"
)

// Before Linux 6.9 a group can only be named by its number, which may be a stranger's once the leader has been reaped.
func TestAGroupWhoseLeaderHasBeenReapedIsKilledByNumberOnlyIfItIsMarked(t *testing.T) {
	marker := reexec.Entry("0123456789abcdef")
	for name, marked := range map[string]bool{"a stranger's": false, "the worker's": true} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			leader := exec.CommandContext(t.Context(), "sh", "-c", "sleep 600 & echo $!")
			leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			leader.Env = []string{"PATH=" + os.Getenv("PATH")}
			if marked {
				leader.Env = append(leader.Env, marker)
			}
			out, err := leader.StdoutPipe()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(leader.Start()).To(Succeed())
			line, err := bufio.NewReader(out).ReadString('\n')
			g.Expect(err).NotTo(HaveOccurred())
			member, err := strconv.Atoi(strings.TrimSpace(line))
			g.Expect(err).NotTo(HaveOccurred())
			defer func() { _ = syscall.Kill(member, syscall.SIGKILL) }()
			held := hold(member).(*os.File)
			defer held.Close()
			dead := func() bool { return pidfd.Ended(held) }
			out.Close()
			g.Expect(leader.Wait()).To(Succeed())

			pidfd.KillGroup(leader.Process.Pid, func(_ syscall.Signal, flags int) error {
				if flags != 0 {
					return unix.EINVAL
				}
				return unix.ESRCH
			}, func() bool { return GroupHas(leader.Process.Pid, marker) })
			if marked {
				g.Eventually(dead, "1m").Should(BeTrue())
			} else {
				g.Consistently(dead, "50ms").Should(BeFalse())
			}
		})
	}
}

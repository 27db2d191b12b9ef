package foreign_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidspace"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// TestAStrangerWithTheNumberOfAProgramThatSomebodyElseReapedIsLeftAlone runs its inside in a pid namespace, where the
// kernel gives out numbers again. A test program that ignores SIGCHLD, or waits for any child, reaps what the harness
// has started in it.
func TestAStrangerWithTheNumberOfAProgramThatSomebodyElseReapedIsLeftAlone(t *testing.T) {
	takes.Seconds(t)
	NewWithT(t).Expect(pidspace.Run(t, "TestInsideATinyNamespace")).
		To(ContainSubstring("--- PASS: TestInsideATinyNamespace"))
}

// TestInsideATinyNamespace is the inside.
func TestInsideATinyNamespace(t *testing.T) {
	g := NewWithT(t)
	const highest = 400
	pidspace.Enter(t, highest)
	var p *foreign.Program
	var stranger *exec.Cmd
	for range 20 { // a thread of this process may have taken the number
		p, _ = start(t, "echo done")
		<-p.Exited()
		_, err := unix.Wait4(p.PID(), nil, 0, nil) // as somebody else would
		g.Expect(err).NotTo(HaveOccurred())
		if stranger = successor(t, p.PID(), highest); stranger != nil {
			break
		}
		g.Expect(p.End()).To(Succeed())
	}
	g.Expect(stranger).NotTo(BeNil(), "its number was not given out again")
	defer func() { _ = unix.Kill(-stranger.Process.Pid, unix.SIGKILL); _ = stranger.Wait() }()
	alive := func() (n int) {
		all, err := procfs.Snapshot()
		g.Expect(err).NotTo(HaveOccurred())
		for pid, proc := range all {
			if session, err := unix.Getsid(pid); err == nil && session == stranger.Process.Pid && proc.Alive() {
				n++
			}
		}
		return n
	}
	g.Eventually(alive).Should(Equal(2), "it and its child")
	g.Expect(p.Family()).To(BeEmpty())
	g.Expect(p.End()).To(Succeed())
	g.Expect(alive()).To(Equal(2), "a stranger was hit")

	signal.Ignore(syscall.SIGCHLD) // the kernel reaps from now on
	other, _ := start(t, "echo done; exit 3")
	<-other.Exited()
	g.Expect(other.Exit()).To(Or(Equal(foreign.Exit{Code: 3}), HaveField("Unseen", true)),
		"the kernel tells from Linux 6.15 on")
	g.Expect(other.End()).To(Succeed())
}

// successor starts programs, of which each has a session of its own, until one has the number, and gives that one a
// child; nil if none has got it though all numbers were given out.
func successor(t *testing.T, pid, numbers int) *exec.Cmd {
	g := NewWithT(t)
	for range numbers {
		_ = os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(fmt.Sprint(pid-1)), 0)
		// a child of each would be left as a zombie, with its number
		cmd := exec.Command("sh", "-c", "read -r _; sleep 1000 & read -r never")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		hold, err := cmd.StdinPipe()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(cmd.Start()).To(Succeed())
		if cmd.Process.Pid == pid {
			t.Cleanup(func() { hold.Close() })
			_, err := hold.Write([]byte("now\n"))
			g.Expect(err).NotTo(HaveOccurred())
			return cmd
		}
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
	}
	return nil
}

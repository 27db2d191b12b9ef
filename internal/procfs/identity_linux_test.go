package procfs_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
)

func TestAnIdentityIsOfOneProcessInOneProgram(t *testing.T) {
	g := NewWithT(t)
	me, err := procfs.Identify(os.Getpid())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(me.UID).To(Equal(os.Getuid()))
	cmd := exec.Command("sleep", "1000")
	g.Expect(cmd.Start()).To(Succeed())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	g.Eventually(func() []string { return procfs.Args(cmd.Process.Pid) }).Should(Equal([]string{"sleep", "1000"}))
	other, err := procfs.Identify(cmd.Process.Pid)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(other.SameProgram(me)).To(BeFalse())
	g.Expect(procfs.Name(cmd.Process.Pid)).To(Equal("sleep"))
	g.Expect(procfs.IsInit(1)).To(BeTrue())
	g.Expect(procfs.IsInit(cmd.Process.Pid)).To(BeFalse())
	_, err = procfs.Identify(1<<22 + 1)
	g.Expect(err).To(MatchError(os.ErrNotExist))
}

func TestWhoListensAtAPortIsFoundByTheSocket(t *testing.T) {
	g := NewWithT(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	port := l.Addr().(*net.TCPAddr).Port
	sockets, err := procfs.Listeners(os.Getpid(), port)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(sockets).To(HaveLen(1))
	g.Expect(procfs.HasSocket(os.Getpid(), sockets)).To(BeTrue())
	g.Expect(procfs.HasSocket(1, sockets)).To(BeFalse())
	g.Expect(l.Close()).To(Succeed())
	g.Expect(procfs.Listeners(os.Getpid(), port)).To(BeEmpty())
}

// What the kernel answers is what its files have, of both families, and not who is connected there.
func TestTheKernelTellsWhoListens(t *testing.T) {
	g := NewWithT(t)
	if _, err := procfs.Diagnosed(); errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.ENOENT) {
		t.Skip("this kernel has no sock_diag(7)")
	}
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", at)
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			continue // a host without IPv6
		}
		g.Expect(err).NotTo(HaveOccurred())
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		g.Expect(err).NotTo(HaveOccurred())
		defer c.Close()
		port := l.Addr().(*net.TCPAddr).Port
		var sockets []string
		for _, ask := range []func() (map[string]int, error){
			procfs.Diagnosed, func() (map[string]int, error) { return procfs.Listed(os.Getpid()) },
		} {
			all, err := ask()
			g.Expect(err).NotTo(HaveOccurred())
			for socket, n := range all {
				if n == port {
					sockets = append(sockets, socket)
				}
			}
		}
		g.Expect(sockets).To(HaveLen(2))
		g.Expect(sockets[0]).To(Equal(sockets[1]))
	}
}

func TestTheSystemCallThatAProcessWaitsInIsSeen(t *testing.T) {
	g := NewWithT(t)
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	defer w.Close()
	cmd := exec.Command("cat")
	cmd.Stdin = r
	g.Expect(cmd.Start()).To(Succeed())
	r.Close()
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	g.Eventually(func() (bool, error) { return procfs.InCall(cmd.Process.Pid, "read") }).WithTimeout(10 * time.Second).
		Should(BeTrue())
	g.Expect(procfs.InCall(cmd.Process.Pid, "futex")).To(BeFalse())
	_, err = procfs.InCall(cmd.Process.Pid, "raed")
	g.Expect(err).To(MatchError(ContainSubstring(`no system call "raed"`)))
}

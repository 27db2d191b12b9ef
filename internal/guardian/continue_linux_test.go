package guardian

import (
	"crypto/rand"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/takes"
)

func TestMain(m *testing.M) {
	reexec.Main()
	os.Exit(m.Run())
}

// Whoever stops a process after Continue may be killed at once. A guardian that is stopped itself has read nothing yet,
// and is replaced.
func TestContinueReturnsOnceTheGuardianHoldsTheProcess(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	sleep := exec.Command("sleep", "600")
	g.Expect(sleep.Start()).To(Succeed())
	t.Cleanup(func() { _ = sleep.Process.Kill(); _ = sleep.Wait() })
	guard, err := Start("continue-"+rand.Text(), nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer guard.Close()
	holds := func() bool { // by its open files
		fds, _ := os.ReadDir("/proc/" + strconv.Itoa(guard.PID()) + "/fd")
		for _, fd := range fds {
			info, _ := os.ReadFile("/proc/" + strconv.Itoa(guard.PID()) + "/fdinfo/" + fd.Name())
			if strings.Contains(string(info), "Pid:\t"+strconv.Itoa(sleep.Process.Pid)+"\n") {
				return true
			}
		}
		return false
	}
	for range 3 {
		done, err := guard.Continue(sleep.Process.Pid)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(holds()).To(BeTrue())
		done()
		g.Eventually(holds).WithTimeout(20 * time.Second).Should(BeFalse())
	}
	first := guard.PID()
	g.Expect(unix.Kill(first, unix.SIGSTOP)).To(Succeed())
	g.Eventually(procfs.Stopped).WithArguments(first).WithTimeout(20*time.Second).Should(BeTrue(),
		"it could answer until then")
	done, err := guard.Continue(sleep.Process.Pid)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(guard.PID()).NotTo(Equal(first))
	g.Expect(holds()).To(BeTrue())
	done()
}

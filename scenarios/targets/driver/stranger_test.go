package driver

import (
	"os"
	"os/exec"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
)

// A worker may be killed after it has answered and before its answer is read.
func TestAProcessThatEndsWhileItIsLookedAtIsNoStranger(t *testing.T) {
	for ends, want := range map[bool]bool{true: false, false: true} {
		g := NewWithT(t)
		cmd := exec.Command("sleep", "60")
		g.Expect(cmd.Start()).To(Succeed())
		end := func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
		defer end()
		g.Expect(stranger(cmd.Process.Pid, func(int) bool {
			if ends {
				end()
			}
			return false
		})).To(Equal(want))
	}
}

// Of one whose end has begun nobody can tell whose it was: its parent may be gone, and what it was started with is.
// Such a process still runs, while the kernel takes its memory back.
func TestAProcessWhoseEndHasBegunIsNoStranger(t *testing.T) {
	for range 3 {
		g := NewWithT(t)
		r, w, err := os.Pipe()
		g.Expect(err).NotTo(HaveOccurred())
		defer r.Close()
		cmd := exec.Command("dd", "if=/dev/zero", "bs=256M", "count=1", "status=none")
		cmd.Env, cmd.Stdout = []string{"MARK=1"}, w // which nobody reads
		g.Expect(cmd.Start()).To(Succeed())
		end := func() { _ = cmd.Process.Kill() }
		defer func() { end(); _ = cmd.Wait() }()
		w.Close()
		pid := cmd.Process.Pid
		g.Eventually(func() (procfs.Proc, error) { return procfs.Read(pid) }).WithTimeout(20 * time.Second).
			Should(HaveField("RSS", BeNumerically(">", 256<<20)))
		g.Expect(stranger(pid, func(int) bool {
			end()
			for procfs.Marked(pid, "MARK=1") {
			}
			return false
		})).To(BeFalse())
	}
}

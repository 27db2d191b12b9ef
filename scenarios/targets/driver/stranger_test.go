package driver

import (
	"os/exec"
	"testing"

	. "github.com/onsi/gomega"
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

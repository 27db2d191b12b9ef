package forks_test

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/internal/forks"
)

func TestGrandchildrenThatLiveForAMomentAreSeen(t *testing.T) {
	g := NewWithT(t)
	f, err := forks.Follow()
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	before := time.Duration(witness.Now())
	cmd := exec.Command("sh", "-c",
		"for i in 1 2 3 4 5 6 7 8; do (exit 3) & done; (kill -9 $(exec sh -c 'echo $PPID')) & wait")
	g.Expect(cmd.Run()).To(Succeed())
	child := cmd.Process.Pid
	var lives []forks.Life
	or := NewGomega(func(string, ...int) {
		t.Skip("the kernel does not tell us: no CAP_NET_ADMIN, or a pid namespace")
	})
	or.Eventually(func() bool { return f.Sees(child) }).WithTimeout(5 * time.Second).Should(BeTrue())
	threes := func() (n int) {
		lives = append(lives, f.Ended(child)...)
		for _, l := range lives {
			if l.Status.Exited() && l.Status.ExitStatus() == 3 {
				n++
				g.Expect(l.Parent).To(Equal(child))
				g.Expect(l.Ended).
					To(And(BeNumerically(">=", before), BeNumerically("<=", time.Duration(witness.Now()))))
			}
		}
		return n
	}
	g.Eventually(threes).WithTimeout(10 * time.Second).Should(Equal(8))
	killed := func() bool {
		lives = append(lives, f.Ended(child)...)
		for _, l := range lives {
			if l.Status.Signaled() && l.Status.Signal() == syscall.SIGKILL {
				return true
			}
		}
		return false
	}
	g.Eventually(killed).WithTimeout(10 * time.Second).Should(BeTrue())
	g.Expect(f.Ended(child + 1)).To(BeEmpty())
}

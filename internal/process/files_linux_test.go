package process

import (
	"os"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// TestAWorkerThatCannotBeStartedForWantOfFilesLeavesNone lets the start fail at each file that it opens, one after the
// other.
func TestAWorkerThatCannotBeStartedForWantOfFilesLeavesNone(t *testing.T) {
	g := NewWithT(t)
	var was unix.Rlimit
	g.Expect(unix.Getrlimit(unix.RLIMIT_NOFILE, &was)).To(Succeed())
	restore := func() { g.Expect(unix.Setrlimit(unix.RLIMIT_NOFILE, &was)).To(Succeed()) }
	defer restore()

	files := func() int {
		entries, _ := os.ReadDir("/proc/self/fd")
		return len(entries)
	}
	before, failures := files(), 0
	for limit := uint64(before); ; limit++ {
		low := was
		low.Cur = limit
		g.Expect(unix.Setrlimit(unix.RLIMIT_NOFILE, &low)).To(Succeed())
		p, err := Start(Spec{Worker: "Worker-1", MaxPayload: 1 << 20})
		restore()
		if err == nil {
			p.Kill()
			p.Wait()
			p.Close()
			break
		}
		failures++
		// EBADF comes from the child: dup2(2) says that of a number that is over the limit.
		g.Expect(err).To(Or(MatchError(syscall.EMFILE), MatchError(syscall.EBADF)))
	}
	g.Expect(failures).To(BeNumerically(">=", 10), "it opens more files than that")
	g.Eventually(files).WithTimeout(time.Minute).Should(BeNumerically("<=", before))
}

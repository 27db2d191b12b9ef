package attach_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/pidspace"
	"github.com/respawn-go/respawn/internal/takes"
)

// reusedPIDs is the pid_max of the namespace in which numbers come around, but for the first, which are given out once.
const reusedPIDs = 700

// TestATwinIsNotTouchedWhenPIDsAreReused runs its inside in a pid namespace, where the kernel gives out numbers again
// within seconds.
func TestATwinIsNotTouchedWhenPIDsAreReused(t *testing.T) {
	takes.Long(t)
	out := pidspace.Run(t, "TestInATinyNamespace")
	NewWithT(t).Expect(out).To(ContainSubstring("--- PASS: TestInATinyNamespace"))
}

// TestInATinyNamespace is the inside. Strangers come and go so fast that a victim's number is soon one of theirs.
func TestInATinyNamespace(t *testing.T) {
	g := NewWithT(t)
	pidspace.Enter(t, reusedPIDs)
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
	// a host may be too busy for its floors
	g.Expect(r.Verdict).To(BeElementOf(check.Pass, check.Inconclusive), r.Cause)
	reused := slices.DeleteFunc(slices.Clone(before), func(pid int) bool { return !theirs[pid] })
	g.Expect(reused).NotTo(BeEmpty(), "no victim's number was a stranger's: nothing was tested")
	g.Expect(children(t, twin)).To(Equal(innocent))
	_, err := os.Stat(beside + "/signals")
	g.Expect(err).To(MatchError(os.ErrNotExist))
}

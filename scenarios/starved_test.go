package scenarios_test

import (
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
)

// timed are scenarios with limits on time, which a starved host breaks.
var timed = []string{"random-kill", "kill-storm", "term-ignored", "rolling-kill"}

func TestNoBusyHostTurnsALimitOnTimeIntoAFailure(t *testing.T) {
	takes.Long(t)
	for range 8 {
		loop := exec.Command("sh", "-c", "while :; do :; done")
		NewWithT(t).Expect(loop.Start()).To(Succeed())
		t.Cleanup(func() { _ = loop.Process.Kill(); _ = loop.Wait() })
	}
	starvedRuns(t, map[string][]string{})
}

func TestNoLimitOnCPUTimeTurnsALimitOnTimeIntoAFailure(t *testing.T) {
	takes.Long(t)
	// with groups of this process, which runs in it count: no other test goes on meanwhile
	envs := map[string][]string{}
	for _, name := range starved() {
		envs[name] = []string{envGroup + "=" + tenthOfACPU(t)}
	}
	starvedRuns(t, envs)
}

// onBroken stands for the scenario that is run on a pool with a bug.
const onBroken = "a broken pool"

// starved are those that are run on a starved host.
func starved() []string { return append(slices.Clip(timed), onBroken) }

// starvedRuns runs them side by side, each with so much more in its environment: none fails, and one with a bug still
// does.
func starvedRuns(t *testing.T, envs map[string][]string) {
	runs := runAhead(starved(), func(name string) (*reports.Report, string, error) {
		env := envs[name]
		switch name {
		case onBroken:
			return runIn(t, env, "random-kill", "target.pool.bugs=[loses-tasks]", "settle=3s")
		case "kill-storm": // as in the long form: the short one has left out the wall time for hosts like this
			return runIn(t, env, name,
				"expect=[tasks.ok == 400, tasks.wall <= 3s, slot.recovery.max <= 300x floor.respawn]")
		}
		return runIn(t, env, name)
	})
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			<-run.done
			g.Expect(run.err).NotTo(HaveOccurred())
			r, why := run.report, describe(run.report, run.dir)
			g.Expect(r.Metrics["host.starved"]).To(BeNumerically(">", 0), why)
			if name == onBroken {
				g.Expect(r.Verdict).To(Equal(check.Fail), why)
			} else {
				g.Expect(r.Verdict == check.Pass || r.Starved()).To(BeTrue(), why)
			}
		})
	}
}

// tenthOfACPU makes a control group that may use so much, and skips the test where none can be had.
func tenthOfACPU(t *testing.T) (dir string) {
	group, err := cgroup.Create(fmt.Sprintf("starved-%d", time.Now().UnixNano()), cgroup.CPU)
	if err != nil {
		t.Skip("no control group with a limit on CPU time: ", err)
	}
	t.Cleanup(func() { _ = group.Kill(); _ = group.Remove() })
	NewWithT(t).Expect(group.SetCPUMax(0.1)).To(Succeed())
	return group.Dir(cgroup.CPU)
}

package chaos_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
)

// oomScore is a process's oom_score_adj.
func oomScore(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	return strings.TrimSpace(string(data))
}

// A process that cannot be told to allocate, and does nothing at all, is ended by the kernel's OOM killer all the same, and
// it alone: a hog uses up the memory of its group.
func TestOOMOfAVictimThatAllocatesNothing(t *testing.T) {
	how := needs(t, cgroup.Memory)
	g := NewWithT(t)
	p := sleepers(t, 2)
	rec := assault(t, chaos.Run{Target: p}, once(chaos.OOM{}))
	settled := rec.faults("settled")
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal("confirmed"), "%s %v", settled[0].Err, settled[0].Receipt)
	g.Expect(settled[0].Fatal).To(BeTrue())
	r := settled[0].Receipt
	g.Expect(r.Mechanism).To(Equal(how))
	g.Expect(r.Evidence).To(Or(
		And(HaveKeyWithValue("oom_kill", "0 → 1"), HaveKeyWithValue("hog", "stopped at the first kill")),
		And(HaveKeyWithValue("oom_kill", "0 → 2"), HaveKeyWithValue("hog", "ended by the kernel's OOM killer too"))), "the second without CAP_SYS_RESOURCE")
	if chaos.HasExitInfo() {
		g.Expect(r.Evidence).To(ending("signal SIGKILL"))
	}
	other := p.list[1-settled[0].Victim.Slot].PID
	g.Expect(state(other)).To(Equal("S"))
	g.Expect(oomScore(other)).To(Equal(oomScore(os.Getpid())))
	g.Expect(hogsOf(os.Getpid())).To(BeEmpty())
}

// A process that cannot be told to allocate is under pressure all the same, for as long as that is to last, and lives: a hog
// takes in its group what is missing.
func TestMemoryOfAVictimThatAllocatesNothing(t *testing.T) {
	how := needs(t, cgroup.Memory)
	g := NewWithT(t)
	p := sleepers(t, 1)
	victim := p.list[0].PID
	group, score := cgroupsOf(t, victim), oomScore(victim)
	rec := assault(t, chaos.Run{Target: p}, once(chaos.Memory{For: 200 * time.Millisecond}))
	settled := rec.faults("settled")
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal("confirmed"), "%s %v", settled[0].Err, settled[0].Receipt)
	g.Expect(settled[0].Fatal).To(BeFalse())
	r := settled[0].Receipt
	g.Expect(r.Mechanism).To(Equal(how))
	g.Expect(r.Evidence).To(And(HaveKeyWithValue("oom_kill", "0 → 0"), HaveKeyWithValue("hog", MatchRegexp(`^took \d+ bytes$`))))
	held, err := time.ParseDuration(r.Evidence["held"])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(held).To(BeNumerically(">=", 200*time.Millisecond))
	g.Expect(rec.faults("healed")).To(HaveLen(1))
	g.Expect(state(victim)).To(Equal("S"))
	g.Expect(cgroupsOf(t, victim)).To(Equal(group))
	g.Expect(oomScore(victim)).To(Equal(score))
	g.Expect(hogsOf(os.Getpid())).To(BeEmpty())
}

// A hog that ends too early is not taken for pressure.
func TestMemoryWithAHogThatEnds(t *testing.T) {
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	var rec tape
	rec.seen = func(e history.Event) {
		if e.Fault != nil && e.Fault.Op == "injected" {
			for _, pid := range hogsOf(os.Getpid()) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	run := chaos.Run{Target: sleepers(t, 1), Open: rec.open, Steady: 1, Settle: 1, Chaos: []chaos.Nemesis{once(chaos.Memory{For: time.Hour})}}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(rec.reasons()).To(ConsistOf(Or(ContainSubstring("the hog ended before"), ContainSubstring("the hog is gone"))))
	g.Expect(hogsOf(os.Getpid())).To(BeEmpty())
}

// What the kernel kills in a group that has nothing to do with the target is no trouble of its host.
func TestOOMKillsInOtherGroupsDoNotCount(t *testing.T) {
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	other := make(chan *tape, 1)
	var rec tape
	rec.seen = func(e history.Event) {
		if e.Fault != nil && e.Fault.Op == "injected" {
			other <- assault(t, chaos.Run{Target: sleepers(t, 1)}, once(chaos.OOM{}))
		}
	}
	run := chaos.Run{
		Target: sleepers(t, 1), Open: rec.open, Steady: 1, Settle: 1,
		Chaos: []chaos.Nemesis{once(chaos.Signal{Name: "WINCH", Grace: time.Millisecond})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect((<-other).settled()).To(Equal(map[string]int{"confirmed": 1}))
	g.Expect(rec.count(func(e history.Event) bool { return e.Sample != nil })).To(BeNumerically(">", 1))
	g.Expect(rec.count(func(e history.Event) bool { return e.Sample != nil && e.Sample.HostOOM != 0 })).To(BeZero())
}

// A victim that lives because the run ended before the hog was done is as it was, and the hog is gone.
func TestHogIsCalledOff(t *testing.T) {
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	p := sleepers(t, 1)
	victim := p.list[0].PID
	before, group := oomScore(victim), cgroupsOf(t, victim)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var rec tape
	rec.seen = func(e history.Event) {
		stopHogs(e)
		if e.Fault != nil && e.Fault.Op == "injected" {
			go func() {
				defer cancel()
				NewWithT(t).Eventually(func() string { return oomScore(victim) }).WithTimeout(20 * time.Second).Should(Equal("1000"))
			}()
		}
	}
	run := chaos.Run{Target: p, Open: rec.open, Steady: 1, Chaos: []chaos.Nemesis{once(chaos.OOM{Mechanism: "cgroup"})}}
	g.Expect(run.Do(ctx)).To(MatchError(chaos.ErrInterrupted))
	g.Expect(rec.settled()).To(Equal(map[string]int{"unconfirmed": 1}))
	g.Expect(rec.faults("healed")).To(HaveLen(1))
	g.Expect(oomScore(victim)).To(Equal(before))
	g.Expect(cgroupsOf(t, victim)).To(Equal(group))
	g.Expect(hogsOf(os.Getpid())).To(BeEmpty())
}

// cgroupsOf is where the process is.
func cgroupsOf(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(data)
}

// If the harness is killed meanwhile, its guardian gives the victim's score and its group's limit back, and the hog ends.
func TestHogOfAHarnessThatIsKilled(t *testing.T) {
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	var group *cgroup.Group
	t.Cleanup(func() {
		if group == nil {
			return
		}
		// The harness's groups are left, and empty once victim and hog are gone.
		NewWithT(t).Eventually(func() error {
			_ = cgroup.RemoveLeft(group.Dir(cgroup.Memory), 0)
			_, err := os.Stat(group.Dir(cgroup.Memory))
			return err
		}).WithTimeout(20 * time.Second).Should(MatchError(os.ErrNotExist))
	})
	victim := sleeper(t, "harness").Process.Pid
	before := oomScore(victim)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d,%s,oom", harnessRole, victim, t.TempDir()))
	cmd.Stderr = os.Stderr
	g.Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	score := func() string { return oomScore(victim) }
	g.Eventually(score).WithTimeout(20 * time.Second).Should(Equal("1000"))
	hogs := hogsOf(cmd.Process.Pid)
	g.Expect(hogs).To(HaveLen(1))
	var err error
	group, err = cgroup.Of(victim, cgroup.Memory)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(group.MemoryMax()).NotTo(BeZero())

	g.Expect(cmd.Process.Kill()).To(Succeed())
	g.Eventually(score).WithTimeout(20 * time.Second).Should(Equal(before))
	g.Eventually(group.MemoryMax).WithTimeout(20 * time.Second).Should(BeZero())
	g.Expect(syscall.Kill(hogs[0], syscall.SIGCONT)).To(Succeed())
	g.Eventually(func() string { return state(hogs[0]) }).WithTimeout(20 * time.Second).Should(Or(BeEmpty(), Equal("Z")))
}

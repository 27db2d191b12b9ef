package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/takes"
)

// oomScore is a process's oom_score_adj.
func oomScore(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	return strings.TrimSpace(string(data))
}

// A process that cannot be told to allocate, and does nothing at all, is ended by the kernel's OOM killer all the same,
// and it alone: a hog uses up the memory of its group.
func TestOOMOfAVictimThatAllocatesNothing(t *testing.T) {
	takes.Seconds(t)
	how := needs(t, cgroup.Memory)
	g := NewWithT(t)
	p := sleepers(t, 2)
	rec := assault(t, chaos.Run{Target: p}, once(faults.OOM{}))
	settled := rec.faults(history.Concluded)
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal(history.Confirmed), "%s %v", settled[0].Err, settled[0].Receipt)
	g.Expect(settled[0].Fatal).To(BeTrue())
	r := settled[0].Receipt
	g.Expect(r.Mechanism).To(Equal(how))
	g.Expect(r.Evidence).To(Or(
		And(HaveKeyWithValue("oom_kill", "0 → 1"), HaveKeyWithValue("hog", "stopped at the first kill")),
		// on a busy host, which sees the kill late
		And(HaveKeyWithValue("oom_kill", "0 → 1"), HaveKeyWithValue("hog", "had to be stopped")),
		And(HaveKeyWithValue("oom_kill", "0 → 2"), HaveKeyWithValue("hog", "ended by the kernel's OOM killer too"))),
		"the second without CAP_SYS_RESOURCE")
	if chaos.HasExitInfo() {
		g.Expect(r.Evidence).To(ending("signal SIGKILL"))
	}
	other := p.list[1-settled[0].Victim.Slot].PID
	g.Expect(state(other)).To(Equal("S"))
	g.Expect(oomScore(other)).To(Equal(oomScore(os.Getpid())))
	g.Expect(hogsOf(os.Getpid())).To(BeEmpty())
}

// A process that cannot be told to allocate is under pressure all the same, for as long as that is to last, and lives:
// a hog takes in its group what is missing.
func TestMemoryOfAVictimThatAllocatesNothing(t *testing.T) {
	long(t)
	how := needs(t, cgroup.Memory)
	g := NewWithT(t)
	p := sleepers(t, 1)
	victim := p.list[0].PID
	group, score := cgroupsOf(t, victim), oomScore(victim)
	rec := assault(t, chaos.Run{Target: p}, once(faults.Memory{For: 200 * time.Millisecond}))
	settled := rec.faults(history.Concluded)
	g.Expect(settled).To(HaveLen(1))
	g.Expect(settled[0].Outcome).To(Equal(history.Confirmed), "%s %v", settled[0].Err, settled[0].Receipt)
	g.Expect(settled[0].Fatal).To(BeFalse())
	r := settled[0].Receipt
	g.Expect(r.Mechanism).To(Equal(how))
	g.Expect(r.Evidence).
		To(And(HaveKeyWithValue("oom_kill", "0 → 0"), HaveKeyWithValue("hog", MatchRegexp(`^took \d+ bytes$`))))
	held, err := time.ParseDuration(r.Evidence["held"])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(held).To(BeNumerically(">=", 200*time.Millisecond))
	g.Expect(rec.faults(history.Healed)).To(HaveLen(1))
	g.Expect(state(victim)).To(Equal("S"))
	g.Expect(cgroupsOf(t, victim)).To(Equal(group))
	g.Expect(oomScore(victim)).To(Equal(score))
	g.Expect(hogsOf(os.Getpid())).To(BeEmpty())
}

// Usage that was there and falls before the time is over is not confirmed, although the hog lives and nobody was
// killed.
func TestMemoryThatIsGivenBackIsNotConfirmed(t *testing.T) {
	long(t)
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	p := sleepers(t, 1)
	victim := p.list[0].PID
	given := make(chan error, 1)
	var rec tape
	rec.seen = func(e history.Event) {
		if e.Fault == nil || e.Fault.Op != history.Injected {
			return
		}
		group, err := cgroup.Of(victim, cgroup.Memory)
		g.Expect(err).NotTo(HaveOccurred())
		hogs := hogsOf(os.Getpid())
		g.Expect(hogs).To(HaveLen(1))
		go func() {
			// The target is 80 % of 128 MiB. It is there for a part of the time, in which it is seen.
			NewWithT(t).Eventually(group.MemoryCurrent).WithTimeout(20 * time.Second).
				Should(BeNumerically(">", 100<<20))
			time.AfterFunc(200*time.Millisecond, func() { given <- giveBack(hogs[0]) })
		}()
	}
	run := chaos.Run{
		Target: p, Open: rec.open, Steady: 1, Settle: 1,
		Chaos: []chaos.Nemesis{once(faults.Memory{For: 3 * time.Second})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(<-given).To(Succeed())
	g.Expect(rec.settled()).To(Equal(map[string]int{"unconfirmed": 1}), "%v", rec.faults(history.Concluded)[0].Receipt)
	g.Expect(rec.reasons()).To(ConsistOf(MatchRegexp(`usage fell to \d+ bytes within the 3s`)))
	g.Expect(rec.faults(history.Concluded)[0].Receipt.Evidence).
		To(HaveKeyWithValue("usage", MatchRegexp(`^\d+ to \d+ of \d+ bytes$`)))
}

// giveBack frees what a hog took, which goes on all the same.
func giveBack(hog int) error {
	dir := fmt.Sprintf("/proc/%d/fd/", hog)
	fds, err := os.ReadDir(dir)
	for _, fd := range fds {
		if to, _ := os.Readlink(dir + fd.Name()); strings.HasPrefix(to, "/memfd:hog") {
			return os.Truncate(dir+fd.Name(), 0)
		}
	}
	return errors.Join(err, errors.New("the hog has no memory file"))
}

// nearTheTarget makes a target of one process whose group uses nine tenths of what the memory fault is to bring about,
// so that the usage alone does not tell whether the hog has taken anything.
func nearTheTarget(t *testing.T) *procs {
	t.Helper()
	g := NewWithT(t)
	group, err := cgroup.Create("near", cgroup.Memory)
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { NewWithT(t).Expect(group.RemoveWithin(20 * time.Second)).To(Succeed()) })
	p := sleepers(t, 1)
	victim := p.list[0].PID
	t.Cleanup(func() { _ = syscall.Kill(victim, syscall.SIGKILL) })
	g.Expect(group.SetMemoryMax(64 << 20)).To(Succeed())
	fd, err := unix.MemfdCreate("near", unix.MFD_CLOEXEC)
	g.Expect(err).NotTo(HaveOccurred())
	file := os.NewFile(uintptr(fd), "near")
	t.Cleanup(func() { file.Close() })
	// memory is its writer's
	eater := exec.Command("sh", "-c", fmt.Sprintf("read go; head -c %d /dev/zero >&3", 49<<20))
	eater.ExtraFiles = []*os.File{file}
	in, err := eater.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(eater.Start()).To(Succeed())
	g.Expect(group.Add(eater.Process.Pid)).To(Succeed())
	g.Expect(in.Write([]byte("\n"))).To(Equal(1))
	g.Expect(eater.Wait()).To(Succeed())
	g.Expect(group.Add(victim)).To(Succeed())
	g.Expect(group.MemoryCurrent()).To(BeNumerically(">", 48<<20), "0.9 of 0.8 of 64 MiB is 46 MiB")
	return p
}

// A hog that gets less than it was to take is not confirmed, and its receipt says how much that was.
func TestMemoryWithAHogThatGetsLess(t *testing.T) {
	long(t)
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	var rec tape
	rec.seen = func(e history.Event) {
		if e.Fault != nil && e.Fault.Op == history.Injected {
			for _, pid := range hogsOf(os.Getpid()) {
				g.Expect(unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4096, Max: 4096}, nil)).To(Succeed())
			}
		}
	}
	run := chaos.Run{
		Target: nearTheTarget(t), Open: rec.open, Steady: 1, Settle: 1,
		Chaos: []chaos.Nemesis{once(faults.Memory{For: 300 * time.Millisecond})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	settled := rec.faults(history.Concluded)
	g.Expect(rec.settled()).To(Equal(map[string]int{"unconfirmed": 1}), "%v", settled[0].Receipt)
	g.Expect(rec.reasons()).To(ConsistOf(MatchRegexp(`the hog took 4096 of \d+ bytes`)))
	g.Expect(settled[0].Receipt.Evidence).To(HaveKeyWithValue("hog", "took 4096 bytes"))
}

// The time for which the memory is held begins when the hog has said that it has it, and not when the usage is high
// anyway.
func TestMemoryIsHeldFromWhenTheHogHasIt(t *testing.T) {
	long(t)
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	var rec tape
	resumed := make(chan time.Duration, 1)
	rec.seen = func(e history.Event) {
		stopHogs(e)
		if e.Fault != nil && e.Fault.Op == history.Injected {
			hogs := hogsOf(os.Getpid())
			time.AfterFunc(200*time.Millisecond, func() {
				resumed <- time.Since(rec.header.Started)
				for _, pid := range hogs {
					_ = syscall.Kill(pid, syscall.SIGCONT)
				}
			})
		}
	}
	run := chaos.Run{
		Target: nearTheTarget(t), Open: rec.open, Steady: 1, Settle: 1,
		Chaos: []chaos.Nemesis{once(faults.Memory{For: 300 * time.Millisecond})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	settled := rec.faults(history.Concluded)
	g.Expect(rec.settled()).To(Equal(map[string]int{"confirmed": 1}), "%s %v", settled[0].Err, settled[0].Receipt)
	g.Expect(settled[0].Receipt.At).To(BeNumerically(">", <-resumed))
}

// hasty is a target whose members answer without having done what they were told to.
type hasty struct{ *procs }

func (hasty) Stress(context.Context, int, chaos.Stress) (chaos.Stressed, error) {
	return chaos.Stressed{Text: "held it"}, nil
}

// A victim that answers too early has not held the memory, however high its usage is.
func TestMemoryOfAVictimThatAnswersTooEarlyIsNotConfirmed(t *testing.T) {
	long(t)
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	rec := assault(t, chaos.Run{Target: hasty{nearTheTarget(t)}}, once(faults.Memory{For: time.Hour}))
	g.Expect(rec.settled()).To(Equal(map[string]int{"unconfirmed": 1}), "%v", rec.faults(history.Concluded)[0].Receipt)
	g.Expect(rec.reasons()).To(ConsistOf(ContainSubstring(`the victim answered "held it" before`)))
}

// A hog that ends too early is not taken for pressure.
func TestMemoryWithAHogThatEnds(t *testing.T) {
	long(t)
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	var rec tape
	rec.seen = func(e history.Event) {
		if e.Fault != nil && e.Fault.Op == history.Injected {
			for _, pid := range hogsOf(os.Getpid()) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	run := chaos.Run{
		Target: sleepers(t, 1), Open: rec.open, Steady: 1, Settle: 1,
		Chaos: []chaos.Nemesis{once(faults.Memory{For: time.Hour})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(rec.reasons()).
		To(ConsistOf(Or(ContainSubstring("the hog ended before"), ContainSubstring("the hog is gone"))))
	g.Expect(hogsOf(os.Getpid())).To(BeEmpty())
}

// What the kernel kills in a group that has nothing to do with the target is no trouble of its host.
func TestOOMKillsInOtherGroupsDoNotCount(t *testing.T) {
	long(t)
	needs(t, cgroup.Memory)
	g := NewWithT(t)
	other := make(chan *tape, 1)
	var rec tape
	rec.seen = func(e history.Event) {
		if e.Fault != nil && e.Fault.Op == history.Injected {
			other <- assault(t, chaos.Run{Target: sleepers(t, 1)}, once(faults.OOM{}))
		}
	}
	run := chaos.Run{
		Target: sleepers(t, 1), Open: rec.open, Steady: 1, Settle: 1,
		Chaos: []chaos.Nemesis{once(faults.Signal{Name: "WINCH", Grace: time.Millisecond})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	oom := <-other
	g.Expect(oom.settled()).To(Equal(map[string]int{"confirmed": 1}), "%v", oom.conclusions())
	g.Expect(rec.count(func(e history.Event) bool { return e.Sample != nil })).To(BeNumerically(">", 1))
	g.Expect(rec.count(func(e history.Event) bool { return e.Sample != nil && e.Sample.HostOOM != 0 })).To(BeZero())
}

// A victim that lives because the run ended before the hog was done is as it was, and the hog is gone.
func TestHogIsCalledOff(t *testing.T) {
	long(t)
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
		if e.Fault != nil && e.Fault.Op == history.Injected {
			go func() {
				defer cancel()
				NewWithT(t).Eventually(func() string { return oomScore(victim) }).WithTimeout(20 * time.Second).
					Should(Equal("1000"))
			}()
		}
	}
	run := chaos.Run{
		Target: p, Open: rec.open, Steady: 1, Chaos: []chaos.Nemesis{once(faults.OOM{Mechanism: "cgroup"})},
	}
	g.Expect(run.Do(ctx)).To(MatchError(chaos.ErrInterrupted))
	g.Expect(rec.settled()).To(Equal(map[string]int{"unconfirmed": 1}))
	g.Expect(rec.faults(history.Healed)).To(HaveLen(1))
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

// If the harness is killed meanwhile, its guardian gives the victim's score and its group's limit back, and the hog
// ends.
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
	g.Eventually(func() string { return state(hogs[0]) }).WithTimeout(20 * time.Second).
		Should(Or(BeEmpty(), Equal("Z")))
}

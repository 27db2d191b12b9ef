package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/pidspace"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// tinyPIDs is the pid_max of the namespace in which the tests of this file run: numbers come around after as many
// forks.
const tinyPIDs = 400

// TestPIDsAreReused runs the specs of this file in a pid namespace of their own, where the kernel gives out numbers
// again within a second.
func TestPIDsAreReused(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	if os.Getpid() == 1 {
		t.Skip("this is the namespace")
	}
	out := pidspace.Run(t, "TestInTinyNamespace")
	NewWithT(t).Expect(strings.Count(out, "--- PASS: TestInTinyNamespace/")).To(Equal(6), "%s", out)
}

// TestInTinyNamespace is the inside of TestPIDsAreReused.
func TestInTinyNamespace(t *testing.T) {
	spareThreads(2*runtime.NumCPU() + 8)
	pidspace.Enter(t, tinyPIDs)
	t.Run("the listing is a moment old", func(t *testing.T) { staleListing(t, false) })
	t.Run("the target has not noticed yet", func(t *testing.T) { staleListing(t, true) })
	t.Run("the victim dies while it is held", diesWhileHeld)
	t.Run("the victim dies before its descriptors are limited",
		func(t *testing.T) { diesBeforeItIsLimited(t, faults.FDs{}, false) })
	t.Run("the victim dies before it is taken to a cgroup",
		func(t *testing.T) { diesBeforeItIsLimited(t, faults.CPU{}, true) })
	t.Run("a pool in a storm among strangers", stormAmongStrangers)
}

// spareThreads makes the runtime start so many threads, which it keeps: one that it starts later could take the very
// number that recycle waits for, and would hold it to the end.
func spareThreads(n int) {
	var all, each sync.WaitGroup
	all.Add(n)
	for range n {
		each.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait() // each has a thread of its own until the last one has
		})
	}
	each.Wait()
}

// nextPID has the kernel of a namespace give out the number next, where it was built to (CONFIG_CHECKPOINT_RESTORE).
func nextPID(pid int) { _ = os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(fmt.Sprint(pid-1)), 0) }

// recycle ends the process and starts others until the kernel gives its number to one of them, which it returns.
func recycle(t *testing.T, old *exec.Cmd, marker string) *exec.Cmd {
	t.Helper()
	g := NewWithT(t)
	pid := old.Process.Pid
	g.Expect(old.Process.Kill()).To(Succeed())
	_ = old.Wait()
	for range 10 * tinyPIDs {
		nextPID(pid)
		cmd := exec.Command("sleep", "1000")
		if marker != "" {
			cmd.Env = append(os.Environ(), chaos.MarkerEntry(marker))
		}
		g.Expect(cmd.Start()).To(Succeed())
		if cmd.Process.Pid == pid {
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			return cmd
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	holder, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	t.Fatalf("pid %d was not given out again: %s (%v)", pid, holder, err)
	return nil
}

// staleListing gives the engine a member whose number is a bystander's by the time that it reads the listing, either
// only in the listing by which it picks or in all of them.
func staleListing(t *testing.T, always bool) {
	g := NewWithT(t)
	p := &procs{marker: "test"}
	victim := sleeper(t, p.marker)
	p.list = []chaos.Member{member(0, victim.Process.Pid)}
	var bystander *exec.Cmd
	armed := false
	p.listing = func(_ int, list []chaos.Member) []chaos.Member {
		switch {
		case !armed:
		case bystander == nil:
			bystander = recycle(t, victim, "")
		case !always:
			return nil
		}
		return list
	}
	var rec tape
	run := chaos.Run{
		Target: p, Open: rec.open, Chaos: []chaos.Nemesis{once(faults.Signal{Name: "KILL"})}, Settle: 1, Steady: 1,
	}
	run.Progress = func(e history.Event) {
		if e.Stage != nil && e.Stage.Name == history.Chaos {
			p.mu.Lock()
			armed = true
			p.mu.Unlock()
		}
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(bystander).NotTo(BeNil())
	unharmed(t, bystander)
	g.Expect(rec.settled()).NotTo(HaveKey("confirmed"))
}

// late ends its victim and has its number given away before it injects.
type late struct {
	faults.Signal
	do func()
}

func (l late) Begin() chaos.Injection { return &lateInjection{l.Signal.Begin(), l.do} }

type lateInjection struct {
	chaos.Injection
	do func()
}

func (l *lateInjection) Inject(ctx context.Context, c *chaos.Case) error {
	l.do()
	if err := c.Victim.Send(unix.SIGKILL); err != nil { // also without the look that comes first
		return err
	}
	return l.Injection.Inject(ctx, c)
}

// diesWhileHeld has the number given away between the pick and the signal.
func diesWhileHeld(t *testing.T) {
	g := NewWithT(t)
	p := &procs{marker: "test"}
	victim := sleeper(t, p.marker)
	p.list = []chaos.Member{member(0, victim.Process.Pid)}
	var bystander *exec.Cmd
	var rec tape
	run := chaos.Run{Target: p, Open: rec.open, Settle: 1, Steady: 1, Chaos: []chaos.Nemesis{once(late{
		faults.Signal{Name: "KILL"}, func() { bystander = recycle(t, victim, p.marker) },
	})}}
	g.Expect(run.Do(t.Context())).To(Succeed())
	unharmed(t, bystander)
	g.Expect(rec.settled()).To(Equal(map[string]int{"already_gone": 1}))
}

// overtaken has its victim's number given away before the step that limits by it, and keeps that step's error.
type overtaken struct {
	chaos.Fault
	atSetup bool
	do      func()
	err     *error
}

func (o overtaken) Begin() chaos.Injection { return &overtakenInjection{o.Fault.Begin(), o} }

type overtakenInjection struct {
	chaos.Injection
	overtaken
}

func (o *overtakenInjection) Setup(ctx context.Context, c *chaos.Case) error {
	return o.step(o.atSetup, func() error { return o.Injection.Setup(ctx, c) })
}

func (o *overtakenInjection) Inject(ctx context.Context, c *chaos.Case) error {
	return o.step(!o.atSetup, func() error { return o.Injection.Inject(ctx, c) })
}

func (o *overtakenInjection) step(limits bool, do func() error) error {
	if !limits {
		return do()
	}
	o.do()
	*o.err = do()
	return *o.err
}

// deaf can be told to stress its members, and does not.
type deaf struct{ *procs }

func (deaf) Stress(ctx context.Context, _ int, _ chaos.Stress) (chaos.Stressed, error) {
	<-ctx.Done()
	return chaos.Stressed{}, ctx.Err()
}

// diesBeforeItIsLimited has the number given away before a limit is set by it.
func diesBeforeItIsLimited(t *testing.T, f chaos.Fault, atSetup bool) {
	g := NewWithT(t)
	p := &procs{marker: "test"}
	victim := sleeper(t, p.marker)
	p.list = []chaos.Member{member(0, victim.Process.Pid)}
	limits := func(pid int) (l unix.Rlimit, groups string) {
		g.Expect(unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &l)).To(Succeed())
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
		g.Expect(err).NotTo(HaveOccurred())
		return l, string(text)
	}
	var bystander *exec.Cmd
	var before unix.Rlimit
	var groups string
	var failed error
	var rec tape
	run := chaos.Run{
		Target: deaf{p}, Open: rec.open, Settle: 1, Steady: 1,
		Chaos: []chaos.Nemesis{once(overtaken{f, atSetup, func() {
			bystander = recycle(t, victim, p.marker)
			before, groups = limits(bystander.Process.Pid)
		}, &failed})},
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	if refused := (*chaos.RefusedError)(nil); errors.As(failed, &refused) {
		t.Log(refused) // this host cannot limit anybody
	} else {
		g.Expect(failed).To(MatchError(chaos.ErrGone))
	}
	after, now := limits(bystander.Process.Pid)
	g.Expect(after).To(Equal(before))
	g.Expect(now).To(Equal(groups))
	unharmed(t, bystander)
}

// stormAmongStrangers kills the workers of a pool as fast as they come while other processes come and go, so that each
// number belongs now to the one and now to the other. The storm lasts until one has belonged to both and enough are
// dead.
func stormAmongStrangers(t *testing.T) {
	g := NewWithT(t)
	g.Expect(os.WriteFile("/proc/sys/kernel/pid_max", []byte("700"), 0)).To(Succeed()) // a worker has ten threads
	ctx, cancel := context.WithCancel(t.Context())
	var strangers sync.WaitGroup
	var mu sync.Mutex
	ours, theirs := map[int]bool{}, map[int]bool{}
	both, confirmed := false, 0
	see := func(pid int, mine, other map[int]bool) {
		mu.Lock()
		defer mu.Unlock()
		mine[pid] = true
		if both = both || other[pid]; both && confirmed > 10 {
			cancel()
		}
	}
	for range 4 {
		strangers.Go(func() {
			for ctx.Err() == nil {
				cmd := exec.Command("sleep", "0.01")
				if !NewWithT(t).Expect(cmd.Run()).To(Succeed(), "a stranger was hit") {
					return
				}
				see(cmd.Process.Pid, theirs, ours)
			}
		})
	}
	p := start(t, pool.Config{Size: 4, MaxTasks: 5})
	var rec tape
	run := chaos.Run{
		Target: p, Open: rec.open, Steady: 1, Close: p.Close,
		Load: &chaos.Load{Task: "square", Concurrency: 4},
		Chaos: []chaos.Nemesis{
			{Fault: faults.Signal{Name: "KILL"}, When: chaos.When{Every: 10 * time.Millisecond, For: time.Minute}},
			{
				Fault: faults.Pause{For: time.Millisecond},
				When:  chaos.When{Every: 10 * time.Millisecond, For: time.Minute},
			},
		},
	}
	run.Progress = func(e history.Event) {
		switch f := e.Fault; {
		case f == nil:
		case f.Op == history.Injected:
			see(f.Victim.PID, ours, theirs)
		case f.Outcome == history.Confirmed:
			mu.Lock()
			confirmed++
			mu.Unlock()
		}
	}
	err := run.Do(ctx)
	cancel()
	strangers.Wait()
	g.Expect(err).To(MatchError(chaos.ErrInterrupted), "no number was used for both in a minute, or too few died: %v",
		rec.settled())
	g.Expect(confirmed).To(BeNumerically(">", 10), "%v", rec.settled())
}

// unharmed makes sure that nobody has signalled the process: it ends of the signal that is sent here.
func unharmed(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	g := NewWithT(t)
	g.Expect(cmd.Process.Signal(unix.SIGTERM)).To(Succeed())
	_ = cmd.Wait() // an error says that it was signalled
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	g.Expect(status.Signal()).To(Equal(unix.SIGTERM), "the bystander was hit")
}

package own_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// start makes a target of our pool, which is gone at the end of the test.
func start(t *testing.T, cfg pool.Config) *own.Started {
	t.Helper()
	p, err := own.Start(bound(t), cfg, t.TempDir())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = p.Terminate() })
	return p
}

// pids are the ready members' by slot.
func pids(g *WithT, p chaos.Target) map[int]int {
	list, err := p.Members(context.Background())
	g.Expect(err).NotTo(HaveOccurred())
	m := map[int]int{}
	for _, member := range list {
		if member.State == chaos.Ready {
			m[member.Slot] = member.PID
		}
	}
	return m
}

func TestBuiltinTasksGiveTheirValues(t *testing.T) {
	p := start(t, pool.Config{Size: 2})
	tasks := []chaos.Task{
		{Name: "sleep", Args: map[string]any{"duration": time.Millisecond}},
		{Name: "square"},
		{Name: "hash", Args: map[string]any{"rounds": 100}},
		{Name: "primes", Args: map[string]any{"below": 10_000}},
		{Name: "echo", Args: map[string]any{"bytes": int64(1 << 20)}},
		{Name: "alloc", Args: map[string]any{"bytes": int64(1 << 20), "keep": true}},
	}
	members := pids(NewWithT(t), p)
	for i, task := range tasks {
		task.ID = uint64(i + 1)
		s := p.Do(bound(t), task)
		g := NewWithT(t)
		g.Expect(s.Outcome).To(Equal(history.OK), "%s: %s", task.Name, s.Err)
		g.Expect(s.Attempts).To(Equal(1))
		g.Expect([]int{members[0], members[1]}).To(ContainElement(s.PID))
	}
	runs, torn, err := witness.ReadFile(p.Witness(), 0)
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(torn).To(BeZero())
	g.Expect(runs).To(HaveLen(len(tasks)))
	for _, r := range runs {
		g.Expect(r.End).To(BeNumerically(">=", r.Start))
	}
}

func TestTasksThatCannotBeAreRejected(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	for text, task := range map[string]chaos.Task{
		`there is no built-in task "dance"`: {Name: "dance"},
		"argument duration is a int":        {Name: "sleep", Args: map[string]any{"duration": 5}},
		"argument speed is a int":           {Name: "sleep", Args: map[string]any{"speed": 5}},
	} {
		s := p.Do(bound(t), task)
		g.Expect(s.Outcome).To(Equal(history.Rejected))
		g.Expect(s.Err).To(ContainSubstring(text))
	}
	g.Expect(p.Close()).To(Succeed())
	g.Expect(p.Do(bound(t), chaos.Task{Name: "square"}).Outcome).To(Equal(history.Rejected))
	g.Expect(p.Want()).To(BeZero())
}

func TestOutcomesOfTasksThatDoNotEndWell(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1, Budgets: pool.Budgets{Killed: 1}})
	done := make(chan chaos.Settled, 1)
	begin := func(ctx context.Context, id uint64) (pid int) {
		go func() {
			done <- p.Do(ctx, chaos.Task{ID: id, Name: "sleep", Args: map[string]any{"duration": time.Minute}})
		}()
		return running(g, p, id)
	}
	ended := func(how history.Outcome) {
		g.Eventually(done).WithTimeout(20 * time.Second).Should(Receive(HaveField("Outcome", how)))
	}

	ctx, cancel := context.WithCancel(t.Context())
	begin(ctx, 1)
	cancel()
	ended(history.Hung)

	g.Expect(syscall.Kill(begin(bound(t), 2), syscall.SIGKILL)).To(Succeed())
	ended(history.Lost)

	begin(bound(t), 3)
	g.Expect(p.Terminate()).To(Succeed())
	ended(history.Failed)
}

// running waits until the task itself says that it has begun, and gives the pid of its process.
func running(g *WithT, p *own.Started, task uint64) (pid int) {
	g.Eventually(func() bool {
		runs, _, _ := witness.ReadFile(p.Witness(), 0) // an error: not there yet
		for _, r := range runs {
			if r.Task == task {
				pid = r.PID
			}
		}
		return pid != 0
	}).WithTimeout(20 * time.Second).WithPolling(time.Millisecond).Should(BeTrue())
	return pid
}

func TestMapEndsInOrder(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	tasks := make([]chaos.Task, 100)
	for i := range tasks {
		tasks[i] = chaos.Task{ID: uint64(i + 1), Name: "square"}
	}
	next := 0
	p.Map(bound(t), tasks, func(i int, s chaos.Settled) {
		g.Expect(i).To(Equal(next))
		g.Expect(s.Outcome).To(Equal(history.OK), s.Err)
		next++
	})
	g.Expect(next).To(Equal(100))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	outcomes := map[history.Outcome]int{}
	p.Map(ctx, tasks, func(_ int, s chaos.Settled) { outcomes[s.Outcome]++ })
	g.Expect(outcomes).To(Equal(map[history.Outcome]int{history.Hung: 100}))
}

// What a pool that is closed meanwhile never took of a map is rejected, as it is when it is submitted singly; what it
// had taken and Terminate ended has failed.
func TestMapTellsWhatAPoolThatEndsDidNotTake(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	tasks := make([]chaos.Task, 100)
	for i := range tasks {
		tasks[i] = chaos.Task{ID: uint64(i + 1), Name: "sleep", Args: map[string]any{"duration": time.Minute}}
	}
	outcomes := map[history.Outcome]int{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Map(bound(t), tasks, func(_ int, s chaos.Settled) { outcomes[s.Outcome]++ })
	}()
	running(g, p, 1)
	const ahead = 2 // of one worker that takes one task, a stream has twice that in flight
	g.Eventually(func() uint64 { return p.Stats().Submitted }).WithTimeout(20 * time.Second).
		Should(BeEquivalentTo(ahead))
	g.Expect(p.Terminate()).To(Succeed())
	g.Eventually(done).WithTimeout(20 * time.Second).Should(BeClosed())
	g.Expect(outcomes).To(Equal(map[history.Outcome]int{history.Failed: ahead, history.Rejected: len(tasks) - ahead}))
}

func TestProbeIsAnsweredByItsSlot(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 3})
	for slot, pid := range pids(g, p) {
		g.Expect(p.Probe(bound(t), slot)).To(Equal(pid))
	}
	_, err := p.Probe(bound(t), 3)
	g.Expect(err).To(MatchError(pool.ErrNoSuchSlot))
}

// Harm that is meant for one process never befalls the one that has taken its slot.
func TestHarmIsForItsVictimAlone(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	before := pids(g, p)
	_, err := p.Stress(bound(t), 0, chaos.Stress{PID: os.Getpid(), Kind: "exit"})
	g.Expect(err).To(MatchError(chaos.ErrGone))
	g.Expect(p.ArmCrashPoint(bound(t), 0, os.Getpid(), "after-read")).To(MatchError(chaos.ErrGone))
	g.Expect(p.ArmCrashPoint(bound(t), 0, before[0], "after-lunch")).To(MatchError(ContainSubstring("no crash point")))
	g.Expect(p.Probe(bound(t), 0)).To(Equal(before[0]), "the crash point is not armed")
	_, err = p.Stress(bound(t), 0, chaos.Stress{Kind: "dance"})
	g.Expect(err).To(MatchError(ContainSubstring(`stress of kind "dance" is not known`)))

	answer, err := p.Stress(bound(t), 0, chaos.Stress{PID: before[0], Kind: "exit", Count: 3})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer).To(BeZero())
	g.Expect(p.Probe(bound(t), 0)).NotTo(Equal(before[0]))
}

func TestBootsFailAndLastAsTold(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1, Backoff: pool.Backoff{Base: time.Millisecond, Threshold: 100}})
	g.Expect(p.SetBoot(2, 0)).To(Succeed())
	g.Expect(syscall.Kill(pids(g, p)[0], syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() int { failed, _ := p.Boots(); return failed }).WithTimeout(20 * time.Second).Should(Equal(2))
	pid, err := p.Probe(bound(t), 0)
	g.Expect(err).NotTo(HaveOccurred())

	g.Expect(p.SetBoot(5, 300*time.Millisecond)).To(Succeed())
	g.Expect(p.SetBoot(0, 300*time.Millisecond)).To(Succeed()) // the five are taken back
	began := time.Now()
	g.Expect(syscall.Kill(pid, syscall.SIGKILL)).To(Succeed())
	g.Expect(p.Probe(bound(t), 0)).NotTo(Equal(pid))
	g.Expect(time.Since(began)).To(BeNumerically(">=", 300*time.Millisecond))
	failed, slowed := p.Boots()
	g.Expect([]int{failed, slowed}).To(Equal([]int{2, 1}))

	_, err = own.Start(bound(t), pool.Config{Initializer: &pool.Initializer{}}, t.TempDir())
	g.Expect(err).To(MatchError(ContainSubstring("Config.Initializer is taken")))
}

func TestPoisonIsGivenUp(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 2})
	died, err := p.Poison(bound(t), chaos.Deadly{Code: 9})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(died.PIDs).To(HaveLen(3))
	g.Expect(died.Verdict).To(ContainSubstring("exitcode=9"))
	_, err = p.Poison(bound(t), chaos.Deadly{Memory: true})
	g.Expect(err).To(MatchError(ContainSubstring("set hard_memory")))
}

// The life of a member that is killed, as the history will have it.
func TestWatchTellsLives(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	var mu sync.Mutex
	var seen []history.MemberEvent
	stop := p.Watch(func(m history.MemberEvent) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, m)
	})
	victim := pids(g, p)[0]
	before := chaos.Monotonic(time.Now())
	g.Expect(syscall.Kill(victim, syscall.SIGKILL)).To(Succeed())
	g.Eventually(func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }).WithTimeout(20 * time.Second).
		Should(Equal(3))
	g.Expect(stop()).To(BeZero())
	g.Expect([]history.MemberOp{seen[0].Op, seen[1].Op, seen[2].Op}).
		To(Equal([]history.MemberOp{history.Exited, history.Started, history.Ready}))
	exited, ready := seen[0], seen[2]
	g.Expect(exited.PID).To(Equal(victim))
	g.Expect(*exited.Exit).To(And(HaveField("Signal", "SIGKILL"), HaveField("Code", -1), HaveField("Kind", "killed")))
	g.Expect(exited.At).To(And(BeNumerically(">", before), BeNumerically("<=", chaos.Monotonic(time.Now()))))
	g.Expect(ready).To(And(HaveField("Gen", 2), HaveField("Slot", 0), HaveField("PID", pids(g, p)[0])))
}

func TestStartSaysWhyThePoolDidNotStart(t *testing.T) {
	_, err := own.Start(t.Context(), pool.Config{Size: -1}, t.TempDir())
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("Config.Size is -1")))
	_, err = own.Start(t.Context(), pool.Config{}, "/dev/null")
	NewWithT(t).Expect(errors.Is(err, syscall.ENOTDIR)).To(BeTrue(), "%v", err)
}

// Spares are no members, and what is there before the first fault besides members is not left behind by the faults.
func TestAPoolIsATargetOnceItsSparesAreReady(t *testing.T) {
	p := start(t, pool.Config{Size: 1, Spares: 3})
	NewWithT(t).Expect(p.Stats().Spares).To(Equal(3))
}

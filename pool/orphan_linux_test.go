package pool_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// envParent makes this program the parent of a pool, in one of the scenes.
const envParent = "POOL_TEST_PARENT"

func init() { otherMains[envParent] = parentMain }

// scenes are what a parent's workers are doing when it is killed. Each returns the processes that the marker in the
// environment does not tell.
var scenes = map[string]struct {
	cfg   pool.Config
	setup func(ctx context.Context, p *pool.Pool) []int
}{
	"idle": {},
	"busy": {setup: func(ctx context.Context, p *pool.Pool) []int {
		return everyWorker(ctx, p, "", func(slot int) { stubborn.Submit(ctx, p, time.Hour, pool.OnSlot(slot)) })
	}},
	"stopped": {cfg: pool.Config{Heartbeat: -1}, setup: func(ctx context.Context, p *pool.Pool) []int {
		return everyWorker(ctx, p, "", func(slot int) { die.Submit(ctx, p, "stop", pool.OnSlot(slot)) })
	}},
	"deaf to SIGTERM": {setup: func(ctx context.Context, p *pool.Pool) []int {
		return everyWorker(ctx, p, "", func(slot int) { die.Submit(ctx, p, "ignore SIGTERM", pool.OnSlot(slot)) })
	}},
	"with grandchildren": {setup: func(ctx context.Context, p *pool.Pool) []int {
		everyWorker(ctx, p, "in the group", nil)
		return everyWorker(ctx, p, "in a session of its own", nil)
	}},
	"stopped with grandchildren": {cfg: pool.Config{Heartbeat: -1}, setup: func(ctx context.Context, p *pool.Pool) []int {
		return append(everyWorker(ctx, p, "in the group, without the marker", nil),
			everyWorker(ctx, p, "in a session of its own", func(slot int) { die.Submit(ctx, p, "stop", pool.OnSlot(slot)) })...)
	}},
	"dead with grandchildren": {setup: func(ctx context.Context, p *pool.Pool) []int {
		pids := everyWorker(ctx, p, "in a session of its own", nil)
		for _, w := range p.Workers() {
			_ = syscall.Kill(w.PID, syscall.SIGKILL)
		}
		return pids
	}},
	"with grandchildren in a cgroup": {cfg: pool.Config{HardMemory: hard}, setup: func(ctx context.Context, p *pool.Pool) []int {
		return everyWorker(ctx, p, "in a session of its own, without the marker", nil)
	}},
	"with a new guardian": {setup: func(ctx context.Context, p *pool.Pool) []int {
		pids := everyWorker(ctx, p, "in a session of its own", nil)
		old := guardianOf(os.Getpid())
		_ = syscall.Kill(old, syscall.SIGKILL)
		for now := old; now == old || now == 0; now = guardianOf(os.Getpid()) {
			<-time.After(time.Millisecond)
		}
		return pids
	}},
	"with a guardian that is stopped": {cfg: pool.Config{Heartbeat: -1}, setup: func(ctx context.Context, p *pool.Pool) []int {
		pids := everyWorker(ctx, p, "in a session of its own", func(slot int) { die.Submit(ctx, p, "stop", pool.OnSlot(slot)) })
		guardian := guardianOf(os.Getpid())
		_ = syscall.Kill(guardian, syscall.SIGSTOP)
		return append(pids, guardian)
	}},
	"with a fork that holds its descriptors": {setup: func(context.Context, *pool.Pool) []int {
		fork()
		return nil
	}},
	"with a fork that holds its descriptors, stopped": {cfg: pool.Config{Heartbeat: -1}, setup: func(ctx context.Context, p *pool.Pool) []int {
		fork()
		return everyWorker(ctx, p, "in the group, without the marker", func(slot int) { die.Submit(ctx, p, "stop", pool.OnSlot(slot)) })
	}},
	"with spares": {cfg: pool.Config{Spares: 2}, setup: func(_ context.Context, p *pool.Pool) []int {
		for p.Stats().Spares < 2 {
			<-time.After(time.Millisecond)
		}
		return nil
	}},
}

// Workers of another language, too busy to see it: Node cannot until its handler returns.
func init() {
	for _, l := range languages {
		if _, err := exec.LookPath(l.name); err != nil {
			continue
		}
		scene := scenes["busy"]
		scene.cfg = pool.Config{Command: []string{l.name, filepath.Join("testdata", l.script)}, Env: []string{"PYTHONPATH=../workers/python"}}
		scene.cfg.Stdout = func(string, []byte) {} // this program's is for the test to read
		scene.setup = func(ctx context.Context, p *pool.Pool) []int {
			return everyWorker(ctx, p, "", func(slot int) {
				extStubborn.Submit(ctx, p, 3_600_000, pool.OnSlot(slot))
				for p.Workers()[slot].Phase != pool.PhaseRunning {
					<-time.After(time.Millisecond)
				}
			})
		}
		scenes["busy in "+l.name] = scene
	}
}

// fork makes a child that has what this process has open, calls no exec, and does nothing: what a child is that was stopped
// before it could, or one that a C library has made.
func fork() {
	if child, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0); child == 0 {
		for {
			syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
}

// everyWorker has each worker start a process, if that is said how, and then calls then for its slot.
func everyWorker(ctx context.Context, p *pool.Pool, spawned string, then func(slot int)) (pids []int) {
	for slot := range p.Size() {
		if spawned != "" {
			pid, err := spawn.Call(ctx, p, spawned, pool.OnSlot(slot))
			if err != nil {
				panic(err)
			}
			pids = append(pids, pid)
		}
		if then != nil {
			then(slot)
		}
	}
	return pids
}

// parentMain is a program with a pool, for the tests to kill. It prints the pool's id and what else to look for.
func parentMain(scene string) {
	s := scenes[scene]
	s.cfg.Size = 3
	ctx := context.Background()
	p, err := pool.New(ctx, s.cfg.Broken(broken))
	if err != nil {
		panic(err)
	}
	var pids []int
	if s.setup != nil {
		pids = s.setup(ctx, p)
	}
	for _, w := range p.Workers() {
		pids = append(pids, w.PID)
		for strings.HasPrefix(scene, "stopped") && procStateOf(w.PID) != "T" {
			<-time.After(time.Millisecond)
		}
	}
	fmt.Println(p.ID(), strings.Trim(fmt.Sprint(pids), "[]"))
	select {}
}

// parent starts a parent and returns it with what it started, as functions that say what is still alive.
func parent(t *testing.T, scene string, mutant pool.Mutant) (cmd *exec.Cmd, alive func() []int) {
	t.Helper()
	g := NewWithT(t)
	cmd = exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), envParent+"="+scene, envMutant+"="+strconv.Itoa(int(mutant)))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cmd.Start()).To(Succeed())
	line, err := bufio.NewReader(out).ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	fields := strings.Fields(line)
	var named []int
	for _, f := range fields[1:] {
		pid, err := strconv.Atoi(f)
		g.Expect(err).NotTo(HaveOccurred())
		named = append(named, pid)
	}
	alive = func() []int {
		left := descendants(fields[0])
		for _, pid := range named {
			if isAlive(pid) && !slices.Contains(left, pid) {
				left = append(left, pid)
			}
		}
		return left
	}
	t.Cleanup(func() {
		for _, pid := range alive() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return cmd, alive
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	for scene := range scenes {
		t.Run(scene, func(t *testing.T) {
			g, groups := NewWithT(t), ""
			if strings.Contains(scene, "cgroup") {
				groups = needMemoryCgroup(t)
			}
			cmd, alive := parent(t, scene, 0)
			g.Expect(len(alive())).To(BeNumerically(">=", 3))
			for _, pid := range childrenOf(cmd.Process.Pid) {
				argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				if !strings.HasPrefix(string(argv), "respawn-") { // it is nobody's business but the host's
					defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
				}
			}
			g.Expect(cmd.Process.Kill()).To(Succeed())
			killed := time.Now()
			_ = cmd.Wait()
			g.Eventually(alive).WithTimeout(patience).WithPolling(5 * time.Millisecond).Should(BeEmpty())
			g.Expect(time.Since(killed)).To(BeNumerically("<", 2*time.Second), "promised is one, without other load")
			if groups != "" {
				own := filepath.Join(groups, fmt.Sprintf("respawn-%d-*", cmd.Process.Pid))
				g.Eventually(func() ([]string, error) { return filepath.Glob(own) }).WithTimeout(patience).Should(BeEmpty())
			}
		})
	}
}

// (Workers that are merely stopped would not: the kernel sends SIGHUP and SIGCONT to a stopped group that is orphaned.)
func TestWithoutTheGuardianDescendantsWouldOutliveTheParent(t *testing.T) {
	for _, scene := range []string{"stopped with grandchildren", "with grandchildren", "dead with grandchildren"} {
		t.Run(scene, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			cmd, alive := parent(t, scene, pool.MutantNoGuardian)
			g.Expect(cmd.Process.Kill()).To(Succeed())
			_ = cmd.Wait()
			g.Consistently(alive, time.Second).ShouldNot(BeEmpty(), "then what is the guardian for?")
		})
	}
}

func TestABootingWorkerDoesNotOutliveAKilledParent(t *testing.T) {
	g := NewWithT(t)
	for range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), envParent+"=idle")
		g.Expect(cmd.Start()).To(Succeed())
		var workers []int
		g.Eventually(func() []int { workers = childrenOf(cmd.Process.Pid); return workers }).
			WithTimeout(patience).WithPolling(time.Microsecond).ShouldNot(BeEmpty())
		g.Expect(cmd.Process.Kill()).To(Succeed())
		_ = cmd.Wait()
		for _, pid := range workers {
			g.Eventually(func() bool { return isAlive(pid) }).WithTimeout(patience).Should(BeFalse())
		}
	}
}

package pool_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	guards "github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"

	"golang.org/x/sys/unix"

	. "github.com/onsi/gomega"
)

// guardianOf is the pid of the guardian that a process has, 0 while there is none.
func guardianOf(parent int) int {
	for _, pid := range childrenOf(parent) {
		argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if bytes.HasPrefix(argv, []byte("respawn-guardian")) && isAlive(pid) {
			return pid
		}
	}
	return 0
}

// ignores tells whether a process ignores the signal: SigIgn of proc_pid_status(5).
func ignores(pid int, sig syscall.Signal) bool {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "SigIgn:\t")
	mask, _, _ := strings.Cut(rest, "\n")
	bits, _ := strconv.ParseUint(mask, 16, 64)
	return bits&(1<<(sig-1)) != 0
}

func TestAGuardianThatWasLeftAloneForLongIsClosedAtOnce(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g := NewWithT(t)
	guardian, err := guards.Start("0123456789abcdef", nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(guardian.Watch(1<<22-1, "")).To(Succeed())
	// Longer than a write to it may take: the deadline of the last one must not hit the next.
	timer := time.NewTimer(1100 * time.Millisecond)
	<-timer.C
	pid := guardian.PID()
	g.Expect(guardian.Close()).To(Succeed())
	g.Expect(guardian.Deaf()).To(BeFalse(), "it was told bye")
	g.Expect(isAlive(pid)).To(BeFalse())
	g.Expect(guardian.Close()).To(Succeed())
	g.Expect(guardian.Watch(2, "")).To(MatchError(guards.ErrClosed))
}

func TestAGuardianThatDiesIsReplaced(t *testing.T) {
	g := NewWithT(t)
	guardian, err := guards.Start("0123456789abcdef", nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer guardian.Close()
	for range 3 {
		old := guardian.PID()
		kill(t, old, syscall.SIGKILL)
		g.Eventually(guardian.PID).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(old)))
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		// as a terminal sends to all
		pid := guardian.PID()
		g.Eventually(func() bool { return ignores(pid, sig) }).WithTimeout(patience).Should(BeTrue(), "it is up")
		kill(t, pid, sig)
		g.Consistently(func() bool { return isAlive(pid) }, 30*time.Millisecond).Should(BeTrue(), "%v", sig)
	}
}

func TestAGuardianThatLivedForAWhileIsReplacedAtOnce(t *testing.T) {
	long(t)
	beside(t)
	g := NewWithT(t)
	guardian, err := guards.Start("0123456789abcdef", nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer guardian.Close()
	replaced := func() time.Duration {
		old, began := guardian.PID(), time.Now()
		kill(t, old, syscall.SIGKILL)
		g.Eventually(guardian.PID).WithTimeout(patience).WithPolling(time.Millisecond).
			ShouldNot(Or(BeZero(), Equal(old)))
		return time.Since(began)
	}
	for range 9 {
		replaced()
	}
	<-time.After(1500 * time.Millisecond)
	g.Expect(replaced()).To(BeNumerically("<", 2500*time.Millisecond), "the pause had grown to 5 s")
}

func TestAGuardianThatIsStoppedIsReplaced(t *testing.T) {
	long(t)
	g := NewWithT(t)
	guardian, err := guards.Start("0123456789abcdef", nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer guardian.Close()
	old := guardian.PID()
	kill(t, old, syscall.SIGSTOP)
	g.Eventually(guardian.PID).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(old)))
}

// That a pool has no guardian shows nowhere but in the log.
func TestThatTheGuardianDiedOrCannotBeStartedIsLogged(t *testing.T) {
	g, log := NewWithT(t), &lockedBuffer{}
	p := start(t, pool.Config{Size: 1, Logger: slog.New(slog.NewTextHandler(log, nil))})
	old := guardianOf(os.Getpid())
	open := limitFiles(t)
	kill(t, old, syscall.SIGKILL)
	g.Eventually(log.String).WithTimeout(patience).Should(And(
		MatchRegexp(`level=WARN msg="the guardian died[^\n]* pid=%d [^\n]*signal=SIGKILL`, old),
		MatchRegexp(`level=WARN msg="the guardian cannot be started[^\n]* err="[^\n]*too many open files"`)))
	open()
	g.Eventually(func() int { return guardianOf(os.Getpid()) }).WithTimeout(patience).
		ShouldNot(Or(BeZero(), Equal(old)))
	g.Expect(p.Close()).To(Succeed())
	g.Expect(strings.Count(log.String(), "the guardian died")).To(Equal(1), "a guardian that is closed has not died")
}

// limitFiles lets this process open no more files, until the function that it returns is called. The limit is set past
// the syscall package, which would hand it on to children from then on.
func limitFiles(t *testing.T) (open func()) {
	t.Helper()
	set := func(l unix.Rlimit) {
		_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&l)), 0, 0, 0)
		NewWithT(t).Expect(errno).To(BeZero())
	}
	var before unix.Rlimit
	NewWithT(t).Expect(unix.Getrlimit(unix.RLIMIT_NOFILE, &before)).To(Succeed())
	open = sync.OnceFunc(func() { set(before) })
	t.Cleanup(open)
	set(unix.Rlimit{Cur: 0, Max: before.Max})
	return open
}

func TestAStoppedGuardianHoldsUpNoClose(t *testing.T) {
	long(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	kill(t, guardianOf(os.Getpid()), syscall.SIGSTOP)
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	g.Eventually(closed).WithTimeout(patience).Should(Receive(BeNil()))
	g.Expect(children()).To(BeEmpty())
}

func TestARefusedOrderIsAClearError(t *testing.T) {
	g := NewWithT(t)
	guardian, err := guards.Start("0123456789abcdef", nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer guardian.Close()
	_, err = guardian.Undo("/a b", "1")
	g.Expect(err).To(MatchError(ContainSubstring("no white space in the path")))
	_, err = guardian.Undo("/ab", "1\n2")
	g.Expect(err).To(HaveOccurred())
	for _, path := range []string{"", "/a\nb", "/a\rb"} {
		_, err = guardian.Remove(path)
		g.Expect(err).To(MatchError(ContainSubstring("without line breaks")), "%q", path)
	}
	for _, path := range []string{"/", ".", "..", "../.."} {
		_, err = guardian.Remove(path)
		g.Expect(err).To(MatchError(ContainSubstring("this process is in it")), "%q", path)
	}
	_, err = guardian.Remove("/" + strings.Repeat("x", 5000))
	g.Expect(err).To(MatchError(ContainSubstring("of at most 4096 bytes")))
	_, err = guardian.Undo("/ab", strings.Repeat("x", 5000))
	g.Expect(err).To(HaveOccurred())
}

// envGuarded makes this program one that has given a guardian orders for that directory, for the tests to end.
const envGuarded = "POOL_TEST_GUARDED"

func init() { otherMains[envGuarded] = guardedMain }

// guardedMain stops a process and gives orders. Then it ends with bye, or waits to be killed, having had its guardian
// replaced first: as the name of a file in dir says.
func guardedMain(dir string) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	guardian, err := guards.Start("fedcba9876543210", nil)
	must(err)
	cmd := exec.Command("sleep", "600")
	must(cmd.Start())
	must(cmd.Process.Signal(syscall.SIGSTOP))
	_, err = guardian.Continue(cmd.Process.Pid)
	must(err)
	done, err := guardian.Undo(filepath.Join(dir, "changed-back"), "mine")
	must(err)
	done()
	_, err = guardian.Undo(filepath.Join(dir, "changed"), "as it was")
	must(err)
	must(os.Chdir(dir))
	for _, tree := range []string{"tree of mine", "tree of mine, kept"} {
		must(os.MkdirAll(filepath.Join(tree, "below"), 0o700))
		must(os.WriteFile(filepath.Join(tree, "below", "file"), nil, 0o600))
		done, err = guardian.Remove(tree)
		must(err)
	}
	done()
	if old := guardian.PID(); fileExists(filepath.Join(dir, "replaced")) {
		must(killPID(old, syscall.SIGKILL))
		for now := old; now == old || now == 0; now = guardian.PID() {
			<-time.After(time.Millisecond)
		}
	}
	fmt.Println(cmd.Process.Pid)
	if fileExists(filepath.Join(dir, "bye")) {
		must(guardian.Close())
		os.Exit(0)
	}
	select {}
}

func TestTheGuardianCarriesOutItsOrdersWhenItsProcessIsKilledAndNotAfterBye(t *testing.T) {
	for _, how := range []string{"killed", "replaced", "bye"} {
		t.Run(how, func(t *testing.T) {
			g, dir := NewWithT(t), t.TempDir()
			for _, name := range []string{"changed", "changed-back"} {
				g.Expect(os.WriteFile(filepath.Join(dir, name), []byte("other"), 0o600)).To(Succeed())
			}
			create(t, filepath.Join(dir, how))
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), envGuarded+"="+dir)
			out, err := cmd.StdoutPipe()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(cmd.Start()).To(Succeed())
			line, err := bufio.NewReader(out).ReadString('\n')
			g.Expect(err).NotTo(HaveOccurred())
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			g.Expect(err).NotTo(HaveOccurred())
			defer func() { _ = killPID(pid, syscall.SIGKILL) }()

			read := func(name string) string { b, _ := os.ReadFile(filepath.Join(dir, name)); return string(b) }
			file, kept := filepath.Join(dir, "tree of mine", "below", "file"),
				filepath.Join(dir, "tree of mine, kept", "below", "file")
			if how == "bye" {
				g.Expect(cmd.Wait()).To(Succeed())
				g.Consistently(func() string { return read("changed") }, 100*time.Millisecond).Should(Equal("other"))
				g.Expect(file).To(BeARegularFile())
				g.Expect(procStateOf(pid)).To(Equal("T"))
				return
			}
			g.Expect(cmd.Process.Kill()).To(Succeed())
			_ = cmd.Wait()
			g.Eventually(func() string { return read("changed") }).WithTimeout(patience).Should(Equal("as it was"))
			g.Eventually(func() string { return procStateOf(pid) }).WithTimeout(patience).Should(Equal("S"))
			g.Expect(read("changed-back")).To(Equal("other"), "that one was not needed any more")
			g.Eventually(filepath.Dir(filepath.Dir(file))).WithTimeout(patience).ShouldNot(BeADirectory())
			g.Expect(kept).To(BeARegularFile(), "that one was taken back")
		})
	}
}

// The program may need what it was started with before it comes to Main.
func TestAGuardianHasTheEnvironmentAndDirectoryThatTheProgramStartsWith(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("POOL_TEST_NEEDED", "1")
	t.Setenv("RESPAWN_POOL", "another")
	t.Setenv(envNeedsItsDirectory, "guardian_linux_test.go")
	guardian, err := guards.Start("fedcba9876543210", nil)
	g.Expect(err).NotTo(HaveOccurred())
	defer guardian.Close()
	pid := guardian.PID()
	g.Eventually(func() (string, error) { return os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)) }).WithTimeout(patience).
		Should(Equal("/"), "it got as far as Main")
	g.Expect(guardian.PID()).To(Equal(pid))
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(env)).To(And(ContainSubstring("POOL_TEST_NEEDED=1\x00"), Not(ContainSubstring("RESPAWN_POOL="))))
}

// envNeedsItsDirectory makes this program one that reads a file beside it before Main.
const envNeedsItsDirectory = "POOL_TEST_NEEDS"

var _ = func() struct{} {
	if file := os.Getenv(envNeedsItsDirectory); file != "" {
		if _, err := os.ReadFile(file); err != nil {
			os.Exit(9)
		}
	}
	return struct{}{}
}()

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
	"stopped with grandchildren": {
		cfg: pool.Config{Heartbeat: -1},
		setup: func(ctx context.Context, p *pool.Pool) []int {
			return append(everyWorker(ctx, p, "in the group, without the marker", nil),
				everyWorker(ctx, p, "in a session of its own",
					func(slot int) { die.Submit(ctx, p, "stop", pool.OnSlot(slot)) })...)
		},
	},
	"dead with grandchildren": {setup: func(ctx context.Context, p *pool.Pool) []int {
		pids := everyWorker(ctx, p, "in a session of its own", nil)
		for _, w := range p.Workers() {
			_ = killPID(w.PID, syscall.SIGKILL)
		}
		return pids
	}},
	"with grandchildren in a cgroup": {
		cfg: pool.Config{HardMemory: hard},
		setup: func(ctx context.Context, p *pool.Pool) []int {
			return everyWorker(ctx, p, "in a session of its own, without the marker", nil)
		},
	},
	"with a new guardian": {setup: func(ctx context.Context, p *pool.Pool) []int {
		pids := everyWorker(ctx, p, "in a session of its own", nil)
		old := guardianOf(os.Getpid())
		_ = killPID(old, syscall.SIGKILL)
		for now := old; now == old || now == 0; now = guardianOf(os.Getpid()) {
			<-time.After(time.Millisecond)
		}
		return pids
	}},
	"with a guardian that is stopped": {
		cfg: pool.Config{Heartbeat: -1},
		setup: func(ctx context.Context, p *pool.Pool) []int {
			pids := everyWorker(ctx, p, "in a session of its own",
				func(slot int) { die.Submit(ctx, p, "stop", pool.OnSlot(slot)) })
			guardian := guardianOf(os.Getpid())
			_ = killPID(guardian, syscall.SIGSTOP)
			return append(pids, guardian)
		},
	},
	"with a fork that holds its descriptors": {setup: func(context.Context, *pool.Pool) []int {
		fork()
		return nil
	}},
	"with a fork that holds its descriptors, stopped": {
		cfg: pool.Config{Heartbeat: -1},
		setup: func(ctx context.Context, p *pool.Pool) []int {
			fork()
			return everyWorker(ctx, p, "in the group, without the marker",
				func(slot int) { die.Submit(ctx, p, "stop", pool.OnSlot(slot)) })
		},
	},
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
		scene.cfg = pool.Config{
			Command: []string{l.name, filepath.Join("testdata", l.script)},
			Env:     []string{"PYTHONPATH=../workers/python"},
		}
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

// fork makes a child that has what this process has open, calls no exec, and does nothing: what a child is that was
// stopped before it could, or one that a C library has made.
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
			_ = killPID(pid, syscall.SIGKILL)
		}
	})
	return cmd, alive
}

func TestNothingOutlivesAKilledParent(t *testing.T) {
	takes.Seconds(t)
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
					defer func() { _ = killPID(pid, syscall.SIGKILL) }()
				}
			}
			g.Expect(cmd.Process.Kill()).To(Succeed())
			killed := time.Now()
			_ = cmd.Wait()
			g.Eventually(alive).WithTimeout(patience).WithPolling(5 * time.Millisecond).Should(BeEmpty())
			g.Expect(time.Since(killed)).To(BeNumerically("<", 2*time.Second), "promised is one, without other load")
			if groups != "" {
				own := filepath.Join(groups, fmt.Sprintf("respawn-%d-*", cmd.Process.Pid))
				g.Eventually(func() ([]string, error) { return filepath.Glob(own) }).WithTimeout(patience).
					Should(BeEmpty())
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

func TestWhatAWorkerStartedInASessionOfItsOwnDoesNotOutliveThePool(t *testing.T) {
	for name, end := range map[string]func(p *pool.Pool) error{
		"Terminate": func(p *pool.Pool) error { p.Terminate(); return nil },
		"Close":     func(p *pool.Pool) error { return p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			g, p := NewWithT(t), start(t, pool.Config{Size: 1})
			child, err := spawn.Call(bound(t), p, "in a session of its own")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(isAlive(child)).To(BeTrue())
			g.Expect(end(p)).To(Succeed())
			g.Expect(isAlive(child)).To(BeFalse())
		})
	}
}

// A killed process that gives back its memory is there for a while, and not found by its environment any more.
func TestTerminateIsOverWhenWhatItKilledHasEnded(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	child, err := keep.Call(bound(t), p, 200<<20)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(isAlive(child)).To(BeTrue())
	p.Terminate()
	g.Expect(isAlive(child)).To(BeFalse())
}

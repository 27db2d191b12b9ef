package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// envDeaf makes the worker a program that forgot to call pool.Main.
const envDeaf = "POOL_TEST_DEAF"

// envOther makes the worker a program with another task.
const envOther = "POOL_TEST_OTHER"

// otherMains make this program another one, by environment variable: a parent for a test to kill. They do not return.
var otherMains = map[string]func(arg string){}

func TestMain(m *testing.M) {
	if os.Getenv(envDeaf) != "" {
		select {}
	}
	if os.Getenv(envOther) != "" {
		pool.Register("other", func(context.Context, int) (int, error) { return 0, nil })
	}
	pool.Main()
	for env, main := range otherMains {
		if arg := os.Getenv(env); arg != "" {
			main(arg)
		}
	}
	takes.SideBySide(8)
	os.Exit(watchRaces(func() int { return around(func() int { return watchLeaks(m.Run) }) }))
}

// How the suite is run over something else: around runs all tests with what they need beside them; starting is told of
// each pool of start's, with its settings, and gives what is to be done when it has ended.
var (
	around   = func(run func() int) int { return run() }
	starting = func(*testing.T, *pool.Pool, pool.Config) (ended func()) { return func() {} }
)

// The tasks of this package's tests.
var (
	square = pool.Register("square", func(_ context.Context, n int) (int, error) { return n * n, nil })
	sleep  = pool.Register("sleep", func(ctx context.Context, d time.Duration) (int, error) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		return os.Getpid(), nil
	})
	stubborn = pool.Register("stubborn", func(_ context.Context, d time.Duration) (int, error) {
		<-time.After(d)
		return os.Getpid(), nil
	})
	echo    = pool.Register("echo", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })
	attempt = pool.Register("attempt", func(ctx context.Context, d time.Duration) (seen, error) {
		if d > 0 { // to be woken takes long enough on a busy machine for a task of no length to be taken for a long one
			<-time.After(d)
		}
		return seen{pool.Attempt(ctx), pool.Key(ctx), os.Getpid(), pool.TaskID(ctx)}, nil
	})
	die = pool.Register("die", func(ctx context.Context, how string) (int, error) {
		return pool.Attempt(ctx), perish(how)
	})
	dieOnce = pool.Register("die-once", func(ctx context.Context, how string) (int, error) {
		if pool.Attempt(ctx) == 1 {
			return 0, perish(how)
		}
		return pool.Attempt(ctx), nil
	})
	fail = pool.Register("fail", func(_ context.Context, how string) (int, error) {
		switch how {
		case "typed":
			return 0, fmt.Errorf("wrapped: %w", &codeError{Code: 42})
		case "sentinel":
			return 0, fmt.Errorf("open it: %w", &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist})
		case "own":
			return 0, errors.Join(errors.New("first"), errOwn)
		case "panic":
			panic("oh no")
		case "panic at length":
			panic(strings.Repeat("oh no ", 1<<20))
		case "at length":
			return 0, fmt.Errorf("%s: %w", strings.Repeat("€", 2<<20), errOwn)
		case "with a long detail":
			return 0, &codeError{Code: 1, Detail: strings.Repeat("x", 5<<20)}
		case "in no encoding":
			return 0, fmt.Errorf("bad \xff: %w", &codeError{Code: 2, Detail: "\xfe"})
		default:
			return 0, errors.New("plain " + how)
		}
	})
	unencodable = pool.Register("unencodable", func(context.Context, int) (any, error) { return make(chan int), nil })
	picky       = pool.Register("picky",
		func(_ context.Context, v struct{ N uint8 }) (int, error) { return int(v.N), nil })
	initialised = pool.Register("initialised", func(context.Context, int) (string, error) { return initState, nil })
	leak        = pool.Register("leak", func(_ context.Context, n int) (int, error) {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		leaked = append(leaked, b)
		return os.Getpid(), nil
	})
	// spawn starts a process that outlives its parent unless somebody ends it, and returns its pid.
	spawn = pool.Register("spawn", func(_ context.Context, how string) (int, error) {
		cmd := exec.Command("sh", "-c", "trap '' HUP; exec sleep 600") // a stopped group that is orphaned gets SIGHUP
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: strings.HasPrefix(how, "in a session of its own")}
		if strings.HasSuffix(how, ", without the marker") {
			cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		}
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	})
	keep = pool.Register("keep", func(_ context.Context, bytes int) (int, error) { // in the group, without the marker
		cmd := exec.Command("tail", "-c", fmt.Sprint(bytes)) // of a pipe it keeps as much in memory
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		in, err := cmd.StdinPipe()
		if err != nil {
			return 0, err
		}
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		_, err = in.Write(make([]byte, bytes)) // which stays open
		return cmd.Process.Pid, err
	})
	getenv = pool.Register("getenv", func(_ context.Context, k string) (string, error) {
		dir, err := os.Getwd()
		return os.Getenv(k) + "|" + dir, err
	})
	gated = pool.Register("gated", func(ctx context.Context, path string) (seen, error) {
		for fileExists(path) {
			<-time.After(time.Millisecond)
		}
		return seen{pool.Attempt(ctx), pool.Key(ctx), os.Getpid(), pool.TaskID(ctx)}, nil
	})
	// witness appends a byte to a file, its own record of how often it ran, and returns its attempt.
	witness = pool.Register("witness", func(ctx context.Context, path string) (int, error) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return 0, err
		}
		_, err = f.Write([]byte{'.'})
		return pool.Attempt(ctx), errors.Join(err, f.Close())
	})
	say = pool.Register("say", func(_ context.Context, s string) (int, error) {
		fmt.Fprintln(os.Stderr, s)
		fmt.Println("out: " + s)
		return 0, nil
	})

	initState string
	leaked    [][]byte
	setState  = pool.RegisterInit("set-state", func(_ context.Context, s string) error {
		if s == "fail" {
			return &codeError{Code: 7}
		}
		if s == "fail at length" {
			return errors.New("no \xff" + strings.Repeat("€", 2<<20))
		}
		if s == "exit" {
			os.Exit(3)
		}
		if path, ok := strings.CutPrefix(s, "fail-while-exists:"); ok {
			if _, err := os.Stat(path); err == nil {
				return errors.New("not yet")
			}
		}
		if path, ok := strings.CutPrefix(s, "exit-while-exists:"); ok && fileExists(path) {
			os.Exit(3)
		}
		if path, ok := strings.CutPrefix(s, "exit-soon-while-exists:"); ok && fileExists(path) {
			time.AfterFunc(5*time.Millisecond, func() { os.Exit(9) })
		}
		if path, ok := strings.CutPrefix(s, "hang-while-exists:"); ok {
			for fileExists(path) {
				<-time.After(time.Millisecond)
			}
		}
		initState += s
		return nil
	})
	errOwn = pool.RegisterSentinel("test.errOwn", errors.New("our own sentinel"))
)

var _ = pool.RegisterError[*codeError]("test.codeError")

type seen struct {
	Attempt int
	Key     string
	PID     int
	ID      uint64
}

type codeError struct {
	Code   int
	Detail string
}

func (e *codeError) Error() string { return fmt.Sprintf("code %d", e.Code) }

// via is what tests submit to; see pool.Via.
func via(p *pool.Pool) pool.Runner { return pool.Via(p) }

// numbered matches a task's number in what the pool tells of it. A Remote counts for itself.
func numbered(id uint64) types.GomegaMatcher {
	if pool.ThroughRemote() {
		return Not(BeZero())
	}
	return Equal(id)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// perish ends this process in the way that is asked for.
func perish(how string) error {
	me := os.Getpid()
	switch how {
	case "exit 0":
		os.Exit(0)
	case "exit 42":
		os.Exit(42)
	case "fatal":
		m := map[int]int{}
		for range 2 { // the runtime finds this and throws: unlike a panic it cannot be recovered
			go func() {
				for {
					m[1]++
				}
			}()
		}
	case "default SIGSEGV":
		defaultAction(syscall.SIGSEGV)
		killPID(me, syscall.SIGSEGV)
	case "default SIGABRT":
		defaultAction(syscall.SIGABRT)
		killPID(me, syscall.SIGABRT)
	case "SIGSEGV", "SIGABRT", "SIGTERM", "SIGKILL":
		sig := map[string]syscall.Signal{
			"SIGSEGV": syscall.SIGSEGV, "SIGABRT": syscall.SIGABRT, "SIGTERM": syscall.SIGTERM,
			"SIGKILL": syscall.SIGKILL,
		}[how]
		signal.Reset(sig)
		killPID(me, sig)
	case "ignore SIGTERM":
		signal.Ignore(syscall.SIGTERM)
	case "hang up":
		syscall.Close(3) // the task socket
	case "stop":
		killPID(me, syscall.SIGSTOP)
	case "goroutine panic":
		go panic("not recovered")
	}
	<-time.After(time.Minute)
	return errors.New("survived")
}

// patience is how long a test waits for what must come; a failure is all that it delays.
var patience = time.Minute

// loaded stretches a limit that is part of a promise for a machine that is busy with other things.
func loaded(d time.Duration) time.Duration { return 5 * d }

// fewer is n, or few under the race detector, where each start of a process and each byte copied takes ten times as
// long. It is for tests whose assertions hold for any number.
func fewer(n, few int) int {
	if raceEnabled {
		return few
	}
	return n
}

// closedGate is a file by which tasks of gated are held until open removes it.
func closedGate(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gate")
	NewWithT(t).Expect(os.WriteFile(path, nil, 0o600)).To(Succeed())
	return path
}

func open(t *testing.T, gate string) {
	t.Helper()
	NewWithT(t).Expect(os.Remove(gate)).To(Succeed())
}

// start makes a pool for the test and terminates it at the end, and then checks that nothing of it is left.
func start(t *testing.T, cfg pool.Config) *pool.Pool {
	t.Helper()
	check := func() {}
	if !isBeside(t) {
		check = noLeaks(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if cfg.Stdout == nil && cfg.Stderr == nil { // dying workers say a lot
		cfg.Stdout, cfg.Stderr = pool.Discard, pool.Discard
	}
	p, err := pool.New(ctx, cfg.Broken(broken))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	ended := starting(t, p, cfg)
	t.Cleanup(func() {
		p.Terminate()
		ended()
		NewWithT(t).Expect(descendants(p.ID())).To(BeEmpty(), "processes of the pool are left")
		check()
	})
	return p
}

// bound is a context that ends long after anything here should have.
func bound(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func pids(p *pool.Pool) map[int]int {
	m := map[int]int{}
	for _, w := range p.Workers() {
		if w.State == pool.Ready {
			m[w.Slot] = w.PID
		}
	}
	return m
}

// whole waits until every slot has answered a probe and has a ready worker. A probe may be a worker's last task.
func whole(t *testing.T, p *pool.Pool) {
	t.Helper()
	g := NewWithT(t)
	ctx := bound(t)
	for slot := range p.Size() {
		v, err := square.Call(ctx, p, slot, pool.OnSlot(slot))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(v).To(Equal(slot * slot))
	}
	g.Eventually(func() int { return p.Stats().Ready }).WithTimeout(patience).Should(Equal(p.Size()))
}

// inPhase waits until the slot's worker says that it is in the phase, and returns it.
func inPhase(t *testing.T, p *pool.Pool, slot int, phase pool.Phase) pool.WorkerInfo {
	t.Helper()
	var found pool.WorkerInfo
	NewWithT(t).Eventually(func() bool {
		for _, w := range p.Workers() {
			if w.Slot == slot && w.State == pool.Ready && w.Phase == phase {
				found = w
				return true
			}
		}
		return false
	}).WithTimeout(patience).WithPolling(time.Millisecond).Should(BeTrue())
	return found
}

func kill(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	NewWithT(t).Expect(killPID(pid, sig)).To(Succeed())
}

// killPID signals one process. A slot without a worker has the number 0, which to the kernel means everybody in the
// tests' own group.
func killPID(pid int, sig syscall.Signal) error {
	if pid <= 0 {
		return syscall.ESRCH
	}
	return syscall.Kill(pid, sig)
}

// resources counts this process's open files, goroutines and child processes.
func resources() (files, goroutines int) {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries), runtime.NumGoroutine()
}

func testProgram(g *WithT) string {
	path, err := os.Executable()
	g.Expect(err).NotTo(HaveOccurred())
	return path
}

// alone runs this test program as a host of its own, which is told by the variable what to be, after the shell
// commands.
func alone(t *testing.T, limits, variable, value string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", limits+` exec "$0"`, testProgram(NewWithT(t)))
	cmd.Env = append(os.Environ(), variable+"="+value)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// long leaves a test that takes seconds out with -short.
func long(t *testing.T) {
	t.Helper()
	takes.Seconds(t)
}

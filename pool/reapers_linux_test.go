package pool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"

	"golang.org/x/sys/unix"

	. "github.com/onsi/gomega"
)

// envReaped makes this program a host of workers that somebody else reaps, as it says how.
const envReaped = "POOL_TEST_REAPED"

func init() { otherMains[envReaped] = reapedMain }

// reapers take the status of children away from who started them.
var reapers = map[string]func(){
	"nobody":                           func() {},
	"SIGCHLD is ignored":               func() { signal.Ignore(syscall.SIGCHLD) },
	"SIGCHLD is ignored, Linux < 6.15": func() { pool.ForgetExits(); signal.Ignore(syscall.SIGCHLD) },
	"a wait for any child": func() {
		go func() {
			runtime.LockOSThread()
			for {
				_, _ = unix.Wait4(-1, nil, 0, nil)
			}
		}()
	},
}

// reapedMain prints what becomes of some tasks.
func reapedMain(how string) {
	how, zombies, _ := strings.Cut(how, "|")
	if zombies != "" {
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	}
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 1, MaxTasks: 3, Budgets: pool.Budgets{Killed: 2}})
	if err != nil {
		panic(err)
	}
	reapers[how]()
	lost := func(how string) (kinds []pool.Kind) {
		_, err := die.Call(ctx, p, how)
		var lost *pool.WorkerLostError
		if errors.As(err, &lost) {
			for _, x := range lost.Exits {
				kinds = append(kinds, x.Kind)
			}
		}
		return kinds
	}
	for range 12 { // recycled each three
		if _, err := square.Call(ctx, p, 1); err != nil {
			panic(err)
		}
	}
	if zombies != "" {
		for range 5 {
			if _, err := spawn.Call(ctx, p, "in the group"); err != nil {
				panic(err)
			}
			_ = killPID(p.Workers()[0].PID, syscall.SIGKILL)
		}
	}
	late := stubborn.Submit(ctx, p, time.Minute, pool.WithTimeout(100*time.Millisecond))
	_, err = late.Result(ctx)
	var timeout *pool.TimeoutError
	fmt.Println("timeout:", errors.As(err, &timeout), late.Outcome().Attempts, timeout.Exit.Kind, timeout.Exit.Reason)
	fmt.Println("exit 42:", lost("exit 42"))
	fmt.Println("SIGKILL:", lost("SIGKILL"))
	_, err = square.Call(ctx, p, 1)
	s := p.Stats()
	fmt.Println("after:", err, s.BootFailures, s.BreakerOpen, p.Close())
	left := 0
	for _, pid := range childrenOf(os.Getpid()) {
		if procStateOf(pid) == "Z" {
			left++
		}
	}
	fmt.Println("zombies:", left)
	os.Exit(0)
}

// reaped runs such a host and returns what it says.
func reaped(t *testing.T, how string) []string {
	t.Helper()
	host := exec.CommandContext(t.Context(), "/proc/self/exe")
	host.Env = append(os.Environ(), envReaped+"="+how)
	host.Stderr = os.Stderr
	out, err := host.Output()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestOutcomesAreTheSameWhereSomebodyElseReaps(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g := NewWithT(t)
	want := []string{
		"timeout: true 1 ours timeout", "exit 42: [crashed crashed crashed]", "SIGKILL: [killed killed]",
		"after: <nil> 0 false <nil>", "zombies: 0",
	}
	g.Expect(reaped(t, "nobody")).To(Equal(want))
	g.Expect(reaped(t, "SIGCHLD is ignored, Linux < 6.15")).To(Equal([]string{
		"timeout: true 1 ours timeout", "exit 42: [unknown unknown]", "SIGKILL: [unknown unknown]",
		"after: <nil> 0 false <nil>", "zombies: 0",
	}), "what is not known counts as killed")
	if !kernelTellsExits() {
		t.Skip("the rest needs Linux 6.15")
	}
	g.Expect(reaped(t, "SIGCHLD is ignored")).To(Equal(want))
	g.Expect(reaped(t, "a wait for any child")).To(Equal(want))
}

// kernelTellsExits tells whether the exit of a child that was reaped can still be had (PIDFD_GET_INFO).
func kernelTellsExits() bool {
	pidfd := -1
	proc, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{PidFD: &pidfd}})
	if err != nil || pidfd < 0 {
		return false
	}
	defer unix.Close(pidfd)
	_, _ = proc.Wait()
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	return unix.IoctlPidfdInfo(pidfd, &info) == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0
}

// As the first process of a container is.
func TestAHostThatOrphansAreHandedToKeepsNoZombies(t *testing.T) {
	beside(t)
	NewWithT(t).Expect(reaped(t, "nobody|with helpers")).To(ContainElement("zombies: 0"))
}

// envTracer makes this program a debugger that attaches to that pid and sits at its prompt until its input ends.
const envTracer = "POOL_TEST_TRACER"

func init() { otherMains[envTracer] = tracerMain }

func tracerMain(pid string) {
	runtime.LockOSThread() // ptrace(2) is a thread's
	n, err := strconv.Atoi(pid)
	if err == nil {
		err = unix.PtraceSeize(n)
	}
	fmt.Print("attached", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// A dead worker that is traced by somebody who does not wait for it cannot be reaped, and wait4(2) for it blocks.
func TestADeadWorkerThatADebuggerHoldsIsQuarantinedAndHoldsUpNobody(t *testing.T) {
	long(t)
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	events := p.Subscribe(1000)
	victim := pids(p)[0]
	debugger := exec.Command("/proc/self/exe")
	debugger.Env = append(os.Environ(), fmt.Sprintf("%s=%d", envTracer, victim))
	prompt, err := debugger.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	said, err := debugger.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(debugger.Start()).To(Succeed())
	release := func() { prompt.Close(); _ = debugger.Wait() }
	defer release()
	heard := make([]byte, 100)
	n, err := said.Read(heard)
	g.Expect(err).NotTo(HaveOccurred())
	if string(heard[:n]) != "attached<nil>" {
		t.Skip("this host does not let one process trace another: ", string(heard[:n]))
	}

	f := sleep.Submit(bound(t), p, 0, pool.OnSlot(0)) // on the victim, or its successor
	kill(t, victim, syscall.SIGKILL)
	g.Expect(square.Call(bound(t), p, 3, pool.OnSlot(1))).To(Equal(9))
	e, _ := next(t, events, pool.WorkerQuarantined)
	g.Expect(e.Exit.PID).To(Equal(victim))
	whole(t, p)
	g.Expect(f.Result(bound(t))).To(BeNumerically(">", 0))
	g.Expect(square.Call(bound(t), p, 3, pool.OnSlot(1))).To(Equal(9))
	release()
	g.Eventually(func() error { return killPID(victim, 0) }).WithTimeout(patience).Should(Equal(syscall.ESRCH),
		"it is reaped when it can be")
}

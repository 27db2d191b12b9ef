package pool_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// envStopped makes this program a host that is stopped while a task of its ends, so often.
const envStopped = "POOL_TEST_STOPPED"

// envPaused makes this program a host that is stopped with its workers while some limit runs, which it names.
const envPaused = "POOL_TEST_PAUSED"

func init() {
	otherMains[envStopped] = stoppedMain
	otherMains[envPaused] = pausedMain
}

func stoppedMain(string) {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Size: 1, TaskTimeout: time.Second, Heartbeat: -1})
	if err != nil {
		panic(err)
	}
	f := stubborn.Submit(ctx, p, 300*time.Millisecond)
	for p.Workers()[0].Phase != pool.PhaseRunning {
		<-time.After(time.Millisecond)
	}
	fmt.Println("stop me")
	pid, err := f.Result(ctx)
	again, _ := attempt.Call(ctx, p, 0)
	fmt.Println("answered by", pid == again.PID, err, p.Workers()[0].LastExit)
	p.Terminate()
	os.Exit(0)
}

// The answer comes while the host is stopped, for longer than the task might have taken. When it goes on its keeper may
// look before its reader.
func TestAWorkerThatAnsweredAStoppedHostIsNotTakenForStalled(t *testing.T) {
	long(t)
	beside(t)
	for range 3 {
		g := NewWithT(t)
		host := exec.Command("/proc/self/exe")
		host.Env = append(os.Environ(), envStopped+"=1")
		out, err := host.StdoutPipe()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(host.Start()).To(Succeed())
		defer func() { _ = host.Process.Kill(); _ = host.Wait() }()
		said := bufio.NewReader(out)
		g.Expect(said.ReadString('\n')).To(Equal("stop me\n"))
		kill(t, host.Process.Pid, syscall.SIGSTOP)
		<-time.After(2500 * time.Millisecond) // the timeout and a second, and more
		kill(t, host.Process.Pid, syscall.SIGCONT)
		line, err := said.ReadString('\n')
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(strings.TrimSpace(line)).To(Equal("answered by true <nil> <nil>"))
		g.Expect(host.Wait()).To(Succeed())
	}
}

const (
	pauseLimit = 3 * time.Second // of what is measured
	pauseTakes = time.Second     // what that takes, while its process runs
	pauseFor   = 5 * time.Second
)

// works takes so much time in which its process runs, whatever its context says.
func works(d time.Duration) {
	for range d / (20 * time.Millisecond) {
		<-time.After(20 * time.Millisecond)
	}
}

var (
	worksFor = pool.Register("works-for", func(_ context.Context, d time.Duration) (int, error) {
		works(d)
		return os.Getpid(), nil
	})
	bootsFor = pool.RegisterInit("boots-for", func(_ context.Context, d time.Duration) error { works(d); return nil })
)

func pausedMain(limit string) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg := pool.Config{Size: 1, Heartbeat: -1}
	switch limit {
	case "TaskTimeout":
		cfg.TaskTimeout = pauseLimit
	case "CancelGrace":
		cfg.CancelGrace = pauseLimit
	case "StopGrace":
		cfg.StopGrace = pauseLimit
	case "CloseTimeout":
		cfg.CloseTimeout = pauseLimit
	case "Heartbeat":
		cfg.Heartbeat = pauseLimit
	case "BootTimeout":
		cfg.BootTimeout, cfg.Initializer = pauseLimit, bootsFor.With(pauseTakes)
		time.AfterFunc(pauseTakes/4, func() { fmt.Println("stop me") })
	}
	p, err := pool.New(context.Background(), cfg)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	events := p.Subscribe(100)
	if limit == "Heartbeat" {
		<-time.After(pauseTakes)
		fmt.Println("stop me")
		<-time.After(pauseTakes + pauseLimit)
	}
	f := worksFor.Submit(ctx, p, pauseTakes)
	for p.Workers()[0].Phase != pool.PhaseRunning {
		<-time.After(time.Millisecond)
	}
	switch limit {
	case "CancelGrace":
		cancel()
	case "StopGrace":
		_ = killPID(p.Workers()[0].PID, syscall.SIGTERM)
	}
	if limit != "BootTimeout" && limit != "Heartbeat" {
		fmt.Println("stop me")
	}
	if limit != "CloseTimeout" {
		<-f.Done()
	}
	for p.Stats().InFlight > 0 && limit == "CancelGrace" ||
		(p.Stats().Exits == 0 || p.Stats().Ready == 0) && limit == "StopGrace" {
		<-time.After(time.Millisecond)
	}
	fmt.Println("closed:", p.Close())
	for e := range events.C {
		if e.Kind == pool.WorkerExited && e.Exit.Kind != pool.KindClean {
			fmt.Println(e.Exit)
		}
	}
	os.Exit(0)
}

func TestTheTimeInWhichHostAndWorkersAreStoppedDoesNotCount(t *testing.T) {
	long(t)
	for _, limit := range []string{
		"TaskTimeout", "CancelGrace", "StopGrace", "CloseTimeout", "Heartbeat", "BootTimeout",
	} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			host := exec.Command("/proc/self/exe")
			host.Env = append(os.Environ(), envPaused+"="+limit)
			host.Stderr = os.Stderr
			out, err := host.StdoutPipe()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(host.Start()).To(Succeed())
			defer func() { _ = host.Process.Kill(); _ = host.Wait() }()
			said := bufio.NewReader(out)
			g.Expect(said.ReadString('\n')).To(Equal("stop me\n"))
			kill(t, host.Process.Pid, syscall.SIGSTOP)
			workers := workersOf(host.Process.Pid)
			g.Expect(workers).NotTo(BeEmpty())
			for _, pid := range workers {
				kill(t, pid, syscall.SIGSTOP)
			}
			<-time.After(pauseFor)
			for _, pid := range append(workers, host.Process.Pid) {
				kill(t, pid, syscall.SIGCONT)
			}
			rest, err := io.ReadAll(said)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(rest)).To(Equal("closed: <nil>\n"))
			g.Expect(host.Wait()).To(Succeed())
		})
	}
}

// workersOf is the children of a host that are no guardians.
func workersOf(host int) (pids []int) {
	for _, pid := range childrenOf(host) {
		if env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); !strings.Contains(string(env),
			"RESPAWN_GUARDIAN=") {
			pids = append(pids, pid)
		}
	}
	return pids
}

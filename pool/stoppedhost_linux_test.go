package pool_test

import (
	"bufio"
	"context"
	"fmt"
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

func init() { otherMains[envStopped] = stoppedMain }

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

// The answer comes while the host is stopped, for longer than the task might have taken. When it goes on its keeper may look
// before its reader.
func TestAWorkerThatAnsweredAStoppedHostIsNotTakenForStalled(t *testing.T) {
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

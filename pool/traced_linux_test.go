package pool_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/pool"
)

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
	g.Eventually(func() error { return syscall.Kill(victim, 0) }).WithTimeout(patience).Should(Equal(syscall.ESRCH), "it is reaped when it can be")
}

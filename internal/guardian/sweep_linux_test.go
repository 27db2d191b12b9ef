package guardian

import (
	"bufio"
	"crypto/rand"
	"io"
	"os/exec"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/takes"
)

// zeros is a reader of nothing else.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A process that is killed has no environment any more while it gives back its memory, and is there all the same.
func TestASweepIsOverWhenWhatItKilledHasEnded(t *testing.T) {
	takes.Seconds(t)
	g, id, size := NewWithT(t), rand.Text()[:16], int64(300<<20)
	hoarder := exec.CommandContext(t.Context(), "tail", "-c", "300M") // of a pipe it keeps as much in memory
	hoarder.Env = []string{reexec.Entry(id)}
	in, err := hoarder.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(hoarder.Start()).To(Succeed())
	defer func() { _ = hoarder.Process.Kill(); _ = hoarder.Wait() }()
	_, err = io.Copy(in, io.LimitReader(zeros{}, size))
	g.Expect(err).NotTo(HaveOccurred())
	Sweep(id)
	p, err := procfs.Read(hoarder.Process.Pid)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p.Alive()).To(BeFalse())
}

// threaded has eight threads and much memory. Its first thread, whose state is the process's, ends at once when it is
// killed.
const threaded = `
import threading, time
kept = bytearray(b"x") * (200 << 20)
for _ in range(8):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("up", flush=True)
time.sleep(600)
`

func TestAGroupLivesAsLongAsAThreadOfAMember(t *testing.T) {
	takes.Seconds(t)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3")
	}
	g := NewWithT(t)
	for range 3 {
		cmd := exec.CommandContext(t.Context(), "python3", "-c", threaded)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(cmd.Start()).To(Succeed())
		defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
		g.Expect(bufio.NewReader(out).ReadString('\n')).To(Equal("up\n"))
		held, err := pidfd.Open(cmd.Process.Pid)
		g.Expect(err).NotTo(HaveOccurred())
		defer held.Close()
		g.Expect(GroupLives(cmd.Process.Pid)).To(BeTrue())
		g.Expect(syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)).To(Succeed())
		AwaitGroup(cmd.Process.Pid, time.Now().Add(time.Minute))
		g.Expect(pidfd.Ended(held)).To(BeTrue())
	}
}

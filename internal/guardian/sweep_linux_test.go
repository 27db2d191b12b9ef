package guardian

import (
	"io"
	"os/exec"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/reexec"
)

// zeros is a reader of nothing else.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A process that is killed has no environment any more while it gives back its memory, and is there all the same.
func TestASweepIsOverWhenWhatItKilledHasEnded(t *testing.T) {
	g, id, size := NewWithT(t), "fedcba9876543210", int64(300<<20)
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

package pool

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

func TestAResultThatCouldNotBeWrittenEndsTheWorker(t *testing.T) {
	g, failures := NewWithT(t), 1
	s := newServer(host{page: wire.Page{Mem: make([]byte, wire.PageSize)}, write: func([]byte) error {
		if failures--; failures >= 0 {
			return syscall.ENOBUFS
		}
		return nil
	}})
	s.emit(wire.Frame{Kind: wire.FrameValue, ID: 1, Payload: make([]byte, flushBytes)}, 0)
	g.Expect(s.batch()).To(MatchError(syscall.ENOBUFS))
}

// The parent is gone and had not read everything: Linux resets the socket.
func TestASocketThatIsResetIsTheEndOfTheParent(t *testing.T) {
	g := NewWithT(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	g.Expect(err).NotTo(HaveOccurred())
	defer unix.Close(fds[1])
	_, err = unix.Write(fds[1], []byte("a result that nobody reads"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(unix.Close(fds[0])).To(Succeed())
	orphaned := 0
	s := newServer(host{page: wire.Page{Mem: make([]byte, wire.PageSize)}, read: func(b []byte) (int, error) { return unix.Read(fds[1], b) }, orphaned: func() { orphaned++ }})
	g.Expect(s.fill()).To(MatchError(unix.ECONNRESET))
	g.Expect(orphaned).To(Equal(1))

	s = newServer(host{page: wire.Page{Mem: make([]byte, wire.PageSize)}, read: func(b []byte) (int, error) { return -1, unix.EBADF }, orphaned: func() { orphaned++ }})
	g.Expect(errors.Is(s.fill(), unix.EBADF)).To(BeTrue())
	g.Expect(orphaned).To(Equal(1), "a descriptor that somebody closed says nothing about the parent")
}

func TestABatchEndsThoughItsWorkerWasClosedMeanwhile(t *testing.T) {
	g, s := NewWithT(t), newServer(host{page: wire.Page{Mem: make([]byte, wire.PageSize)}})
	s.serving <- struct{}{}
	ended := make(chan bool, 1)
	(&goroutineWorker{server: s, sigterm: make(chan os.Signal)}).close()
	go func() { ended <- s.served(nil) }()
	g.Eventually(ended).Should(Receive(BeTrue()))
}

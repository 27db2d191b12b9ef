package serve

import (
	"errors"
	"syscall"
	"testing"

	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

func TestAResultThatCouldNotBeWrittenEndsTheWorker(t *testing.T) {
	g, failures := NewWithT(t), 1
	s := New(Host{Page: wire.Page{Mem: make([]byte, wire.PageSize)}, Write: func([]byte) error {
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
	s := New(Host{
		Page: wire.Page{Mem: make([]byte, wire.PageSize)},
		Read: func(b []byte) (int, error) { return unix.Read(fds[1], b) }, Orphaned: func() { orphaned++ },
	})
	g.Expect(s.fill()).To(MatchError(unix.ECONNRESET))
	g.Expect(orphaned).To(Equal(1))

	s = New(Host{
		Page: wire.Page{Mem: make([]byte, wire.PageSize)}, Read: func(b []byte) (int, error) { return -1, unix.EBADF },
		Orphaned: func() { orphaned++ },
	})
	g.Expect(errors.Is(s.fill(), unix.EBADF)).To(BeTrue())
	g.Expect(orphaned).To(Equal(1), "a descriptor that somebody closed says nothing about the parent")
}

func TestABatchEndsThoughItsWorkerWasClosedMeanwhile(t *testing.T) {
	g, s := NewWithT(t), New(Host{Page: wire.Page{Mem: make([]byte, wire.PageSize)}})
	s.serving <- struct{}{}
	ended := make(chan bool, 1)
	s.LetGo()
	go func() { ended <- s.served(nil) }()
	g.Eventually(ended).Should(Receive(BeTrue()))
}

package process

import (
	"errors"
	"io"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/wire"
)

// Receive stays in one call of RawConn.Read: when a read came back short the socket is empty, and waiting at once saves
// the read that would say so. The poller is edge-triggered and remembers what arrives in between. But an end that came
// together with the last bytes is no event of its own, and is not waited for: see AwaitDeath.
func (p *osProcess) Receive(space func() []byte, got func(n int) bool) error {
	var end error
	err := p.rawTask.Read(func(fd uintptr) bool {
		for {
			b := space()
			n, err := read(fd, b)
			switch {
			case errors.Is(err, unix.EINTR):
			case errors.Is(err, unix.EAGAIN):
				return false
			case err != nil || n == 0:
				end = errors.Join(io.EOF, err)
				return true
			case !got(n):
				return true
			case n < len(b) && !p.dead.Load():
				return false
			}
		}
	})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.Join(end, err)
	}
	if !p.stopped.Load() {
		_ = p.tasks.SetReadDeadline(time.Time{})
	}
	if p.stopped.Load() { // perhaps since
		p.Interrupt()
		return ErrReadStopped
	}
	return nil
}

// StopReading is an interrupt that stays.
func (p *osProcess) StopReading() {
	p.stopped.Store(true)
	p.Interrupt()
}

func (p *osProcess) Interrupt() { _ = p.tasks.SetReadDeadline(time.Unix(1, 0)) }

// Drain goes around the deadline, which would hide bytes that are buffered already.
func (p *osProcess) Drain(b []byte) (n int) {
	_ = p.rawTask.Control(func(fd uintptr) {
		for {
			var err error
			n, err = read(fd, b)
			if !errors.Is(err, unix.EINTR) {
				return
			}
		}
	})
	return n // 0 for EAGAIN and ECONNRESET, too: nothing is left
}

func (p *osProcess) TryWrite(b []byte) (written int, err error) {
	if p.tickets != nil {
		p.tickets.write() // before the frames
	}
	ctlErr := p.rawTask.Control(func(fd uintptr) {
		for written < len(b) && err == nil {
			var n int
			n, err = write(fd, b[written:])
			written += n
			if errors.Is(err, unix.EINTR) {
				err = nil
			}
		}
	})
	if errors.Is(err, unix.EAGAIN) {
		err = nil
	}
	return written, errors.Join(err, ctlErr)
}

func (p *osProcess) Write(b []byte) error {
	_, err := p.tasks.Write(b)
	return err
}

func (p *osProcess) HangUp() { _ = p.tasks.SetWriteDeadline(time.Unix(1, 0)) }

func (p *osProcess) Control(m wire.Control) {
	b := m.Encode()
	_ = p.rawCtl.Control(func(fd uintptr) {
		_ = unix.Sendto(int(fd), b[:], unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, nil)
	})
}

// read and write are system calls that the scheduler is not told of: it would take the processor away from a goroutine
// that is in one for some microseconds, and start a thread to go on with it. The descriptor must not block.
func read(fd uintptr, b []byte) (int, error)  { return quick(unix.SYS_READ, fd, b) }
func write(fd uintptr, b []byte) (int, error) { return quick(unix.SYS_WRITE, fd, b) }

func quick(call, fd uintptr, b []byte) (int, error) {
	n, _, e := unix.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

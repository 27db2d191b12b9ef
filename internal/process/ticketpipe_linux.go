package process

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// osTickets is the parent's ends of a pipe of tickets. The pipe is as small as can be, since pipes count against what a
// user may have of them (pipe(7)), and holds two pages: what is at a worker fits into one.
type osTickets struct{ in, out int }

const ticketRoom = 8 << 10

// newTicketPipe makes the pipe, and the worker's end apart. That is an open file of its own, so that whether reading it
// blocks is the worker's affair: it does not, unless the worker says so.
func newTicketPipe() (p *osTickets, worker *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	p = &osTickets{-1, fds[1]}
	worker = os.NewFile(uintptr(fds[0]), "tickets") // while it blocks, or passing it on would make it block
	if p.in, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fds[0]), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK,
		0); err == nil {
		_, err = unix.FcntlInt(uintptr(p.out), unix.F_SETPIPE_SZ, ticketRoom)
	}
	for _, fd := range fds {
		err = errors.Join(err, unix.SetNonblock(fd, true))
	}
	if err != nil {
		worker.Close()
		p.close()
		return nil, nil, err
	}
	return p, worker, nil
}

func (p *osTickets) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(p.out, b)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}

func (p *osTickets) left() (int, error) { return unix.IoctlGetInt(p.in, unix.TIOCINQ) }

func (p *osTickets) drain(b []byte) (got int, err error) {
	for got < len(b) {
		n, err := unix.Read(p.in, b[got:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN) || err == nil && n == 0:
			return got, nil
		case err != nil:
			return got, err
		}
		got += max(n, 0)
	}
	return got, nil
}

func (p *osTickets) close() {
	for _, fd := range []int{p.in, p.out} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

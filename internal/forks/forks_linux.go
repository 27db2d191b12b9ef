package forks

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Follower follows the descendants of this process that are born while it is open. Safe for concurrent use. Close it.
type Follower struct {
	socket *os.File
	done   chan struct{}

	mu    sync.Mutex
	alive map[int]birth  // by pid
	ended map[int][]Life // by root
	seen  map[int]bool   // roots
	lost  bool
}

// birth is a living descendant: root is the child of this process that it descends from.
type birth struct{ parent, root int }

// What include/uapi/linux/cn_proc.h and connector.h of the kernel say.
const (
	connectorProc = 1 // CN_IDX_PROC, and CN_VAL_PROC
	listen        = 1 // PROC_CN_MCAST_LISTEN
	eventFork     = 1 // PROC_EVENT_FORK
	eventExit     = 0x80000000
	headers       = unix.SizeofNlMsghdr + 20 // of netlink, and cn_msg
	keptLives     = 4096
)

// Follow begins. That it gives no error does not mean that the kernel tells anything: see Sees.
func Follow() (*Follower, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, fmt.Errorf("forks: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<21) // it is smaller without the privilege
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connectorProc})
	if err == nil {
		err = unix.Sendto(fd, request(), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("forks: %w", err)
	}
	f := &Follower{
		socket: os.NewFile(uintptr(fd), "proc connector"), done: make(chan struct{}),
		alive: map[int]birth{}, ended: map[int][]Life{}, seen: map[int]bool{},
	}
	go f.read()
	return f, nil
}

// request asks for events.
func request() []byte {
	b := make([]byte, headers+4)
	n := binary.NativeEndian
	n.PutUint32(b[0:], uint32(len(b)))
	n.PutUint16(b[4:], unix.NLMSG_DONE)
	n.PutUint32(b[16:], connectorProc)
	n.PutUint32(b[20:], connectorProc)
	n.PutUint16(b[32:], 4) // the length of what follows
	n.PutUint32(b[headers:], listen)
	return b
}

// Close ends it.
func (f *Follower) Close() error {
	err := f.socket.Close()
	<-f.done
	return err
}

// Sees tells whether the kernel told of the birth of this child of ours, and has lost nothing since: not within a pid
// namespace, nor without the privilege.
func (f *Follower) Sees(child int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[child] && !f.lost
}

// Ended is which descendants of that child of ours have ended since the last call.
func (f *Follower) Ended(child int) []Life {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.ended[child]
	delete(f.ended, child)
	return list
}

func (f *Follower) read() {
	defer close(f.done)
	b := make([]byte, 4096)
	for {
		n, err := f.socket.Read(b)
		switch {
		case err == nil:
			f.follow(b[:n])
		case errors.Is(err, unix.ENOBUFS):
			f.mu.Lock()
			f.lost = true
			f.mu.Unlock()
		default:
			return
		}
	}
}

// follow notes what one event tells.
func (f *Follower) follow(b []byte) {
	if len(b) < headers+16+24 {
		return
	}
	n := binary.NativeEndian
	e := b[headers:]
	word := func(i int) int { return int(int32(n.Uint32(e[16+4*i:]))) }
	f.mu.Lock()
	defer f.mu.Unlock()
	switch n.Uint32(e) {
	case eventFork:
		if parent, child := word(1), word(3); word(2) == child { // else it is a thread
			f.born(parent, child)
		}
	case eventExit:
		if pid := word(1); word(0) == pid {
			f.died(pid, time.Duration(n.Uint64(e[8:])), syscall.WaitStatus(word(2)))
		}
	}
}

func (f *Follower) born(parent, child int) {
	if parent == os.Getpid() {
		f.alive[child], f.seen[child] = birth{parent, child}, true
	} else if p, ok := f.alive[parent]; ok {
		f.alive[child] = birth{parent, p.root}
	}
}

func (f *Follower) died(pid int, at time.Duration, status syscall.WaitStatus) {
	b, ok := f.alive[pid]
	if !ok {
		return
	}
	delete(f.alive, pid)
	if len(f.ended[b.root]) >= keptLives {
		f.lost = true
		return
	}
	f.ended[b.root] = append(f.ended[b.root], Life{pid, b.parent, at, status})
}

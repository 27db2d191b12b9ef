package foreign

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const tailSize = 16 << 10

// tail keeps the last tailSize bytes of what a pipe carries, however much that is.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// read runs until the pipe ends or its deadline has passed.
func (t *tail) read(pipe *os.File) {
	defer pipe.Close()
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		for {
			if more, ended := t.readOnce(int(fd)); !more {
				return ended
			}
		}
	})
}

// catchUp takes what is in the pipe now, such as the last words of a writer that has just ended.
func (t *tail) catchUp(pipe *os.File) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for range 1 << 10 { // whoever writes on and on is not waited for
			if more, _ := t.readOnce(int(fd)); !more {
				return
			}
		}
	})
}

// readOnce reads what is there, without waiting, and keeps it before anybody else can look.
func (t *tail) readOnce(fd int) (more, ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var buf [4 << 10]byte
	n, err := unix.Read(fd, buf[:])
	t.add(buf[:max(n, 0)])
	switch {
	case n > 0, err == unix.EINTR: //nolint:errorlint // an errno as it comes
		return true, false
	case err == unix.EAGAIN: //nolint:errorlint // the same
		return false, false
	}
	return false, true
}

// add keeps b; mu is held.
func (t *tail) add(b []byte) {
	t.kept = append(t.kept, b...)
	if n := len(t.kept); n > tailSize {
		t.kept = append(t.kept[:0], t.kept[n-tailSize:]...)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.kept, []byte("\uFFFD")))
}

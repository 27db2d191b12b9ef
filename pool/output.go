package pool

import (
	"bytes"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tailSize = 4 << 10
	maxLine  = 64 << 10
)

// tail keeps the last tailSize bytes written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b[max(0, len(b)-tailSize):]...)
	if n := len(t.buf); n > tailSize {
		t.buf = append(t.buf[:0], t.buf[n-tailSize:]...)
	}
}

// String is the tail without a torn first UTF-8 sequence.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.buf, []byte("\uFFFD")))
}

// output is one output pipe of a worker: what it carries is kept as a tail, given to a sink line by line, or both.
type output struct {
	pipe *os.File
	tail *tail        // nil: not kept
	sink func([]byte) // nil: not given
	line []byte
}

// copy runs until the pipe ends or stop was called and everything buffered was read.
func (o *output) copy() {
	defer o.pipe.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := o.pipe.Read(buf)
		o.take(buf[:n])
		if err != nil {
			break
		}
	}
	if raw, err := o.pipe.SyscallConn(); err == nil { // a deadline hides what is buffered: go around it
		_ = raw.Control(func(fd uintptr) {
			for {
				n, err := unix.Read(int(fd), buf)
				if n <= 0 && err != unix.EINTR { //nolint:errorlint // a raw errno
					return
				}
				o.take(buf[:max(n, 0)])
			}
		})
	}
	if len(o.line) > 0 {
		o.sink(o.line)
	}
}

// stop ends copy although a descendant of the worker may hold the pipe open.
func (o *output) stop() { _ = o.pipe.SetReadDeadline(time.Unix(1, 0)) }

func (o *output) take(b []byte) {
	if o.tail != nil {
		o.tail.add(b)
	}
	if o.sink == nil {
		return
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			o.line = append(o.line, b...)
			b = nil
		} else {
			o.line = append(o.line, b[:i]...)
			b = b[i+1:]
		}
		if i >= 0 || len(o.line) >= maxLine {
			o.sink(o.line)
			o.line = o.line[:0]
		}
	}
}

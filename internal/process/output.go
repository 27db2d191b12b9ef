package process

import (
	"bytes"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tailSize  = 4 << 10
	causeSize = 1 << 10
	maxLine   = 64 << 10
	maxPipe   = 1 << 20 // the most that a pipe holds: /proc/sys/fs/pipe-max-size
)

// crashMarks begin the Go runtime's reports of a crash (runtime/panic.go, runtime/signal_unix.go).
var crashMarks = []string{
	"panic: ", "fatal error: ", "runtime/cgo: ", "SIGSEGV: ", "SIGABRT: ", "SIGBUS: ", "SIGFPE: ", "SIGQUIT: ",
}

// otherThread begins what each further thread reports under GOTRACEBACK=crash.
var otherThread = []byte("SIGQUIT: ")

// IsCrashMark tells whether the line begins the Go runtime's report of a crash.
func IsCrashMark[S []byte | string](line S) bool {
	return slices.ContainsFunc(crashMarks,
		func(mark string) bool { return len(line) >= len(mark) && string(line[:len(mark)]) == mark })
}

// tail keeps the last tailSize bytes of what is written to it, and, because a traceback may be longer than that, how
// the last report of a crash began.
type tail struct {
	mu    sync.Mutex
	buf   []byte
	cause []byte
	since int // bytes from the beginning of cause on
}

// add appends a line.
func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if IsCrashMark(line) && t.since >= causeSize && !bytes.HasPrefix(line, otherThread) {
		// what is near belongs to the same report
		t.cause, t.since = t.cause[:0], 0
	}
	if t.since > 0 || IsCrashMark(line) {
		t.cause = append(t.cause, line[:min(len(line), causeSize-len(t.cause))]...)
		t.since += len(line)
	}
	t.buf = append(t.buf, line[max(0, len(line)-tailSize):]...)
	if n := len(t.buf); n > tailSize {
		t.buf = append(t.buf[:0], t.buf[n-tailSize:]...)
	}
}

// String is at most tailSize bytes of valid UTF-8.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := t.buf
	var out []byte
	if t.since > len(t.buf) {
		out = append(append(out, t.cause...), "\n…\n"...)
		end = end[min(len(out), len(end)):]
	}
	out = append(out, end...)
	return string(bytes.ToValidUTF8(out, []byte("?")))
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
		o.split(buf[:n])
		if err != nil {
			break
		}
	}
	if raw, err := o.pipe.SyscallConn(); err == nil { // a deadline hides what is buffered: go around it
		_ = raw.Control(func(fd uintptr) {
			for range maxPipe / len(buf) { // somebody may write faster than this reads
				n, err := unix.Read(int(fd), buf)
				if n <= 0 && err != unix.EINTR { //nolint:errorlint // a raw errno
					return
				}
				o.split(buf[:max(n, 0)])
			}
		})
	}
	if len(o.line) > 0 {
		o.endLine()
	}
}

// stop ends copy although a descendant of the worker may hold the pipe open.
func (o *output) stop() { _ = o.pipe.SetReadDeadline(time.Unix(1, 0)) }

// split splits what was read into lines.
func (o *output) split(b []byte) {
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n') + 1
		if i == 0 {
			i = len(b)
		}
		i = min(i, maxLine-len(o.line))
		o.line = append(o.line, b[:i]...)
		if b = b[i:]; o.line[len(o.line)-1] == '\n' || len(o.line) == maxLine {
			o.endLine()
		}
	}
}

func (o *output) endLine() {
	if o.tail != nil {
		o.tail.add(o.line)
	}
	if o.sink != nil {
		o.sink(bytes.TrimSuffix(o.line, []byte{'\n'}))
	}
	o.line = o.line[:0]
}

package pool

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/spool"
)

// Discard is for [Config.Stdout] and [Config.Stderr]: the workers' lines go nowhere.
func Discard(string, []byte) {}

// discards tells whether a sink is Discard, for which no pipe is needed.
func discards(sink func(string, []byte)) bool {
	return reflect.ValueOf(sink).Pointer() == reflect.ValueOf(Discard).Pointer()
}

const (
	maxPassThrough  = 1 << 20     // bytes that may wait
	passThroughWait = time.Second // for what was not written when the pool ended
)

// passThrough writes workers' lines, each with its worker's name, to a stream of this process. Whoever has a line leaves it here
// and goes on; what finds no room is dropped and counted.
type passThrough struct {
	to *os.File // taken by New: a program may set os.Stdout later
	spool.Spool[byte]
}

func newPassThrough(to *os.File) passThrough {
	return passThrough{to, spool.Spool[byte]{Most: maxPassThrough, Deliver: func(lines []byte, dropped int) {
		if dropped > 0 {
			lines = fmt.Appendf(lines, "respawn: %d lines of the workers were dropped here: they came faster than they were read\n", dropped)
		}
		put(to, lines)
	}}}
}

// sink is where a worker's lines go: to the caller's function, or by default through here; nil when they are not wanted.
func (s *passThrough) sink(own func(string, []byte), worker string) func(line []byte) {
	switch {
	case own == nil && s.to == nil, own != nil && discards(own):
		return nil
	case own == nil:
		name := []byte(worker + ": ")
		return func(line []byte) { s.Add(name, line, []byte{'\n'}) }
	}
	return func(line []byte) { own(worker, line) }
}

// put writes all of b, or what can be. It goes around os.File, which ends the program when stdout or stderr is a pipe that nobody
// reads any more (os/signal, "SIGPIPE"): that is for what the program itself writes.
func put(to *os.File, b []byte) {
	raw, err := to.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Write(func(fd uintptr) bool {
		for len(b) > 0 {
			n, err := syscall.Write(int(fd), b)
			b = b[max(n, 0):]
			switch {
			case errors.Is(err, syscall.EAGAIN):
				return false
			case err != nil && !errors.Is(err, syscall.EINTR):
				return true
			}
		}
		return true
	})
}

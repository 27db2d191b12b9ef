package pool

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"sync"
	"syscall"
	"time"
)

// Discard is for [Config.Stdout] and [Config.Stderr]: the workers' lines go nowhere.
func Discard(string, []byte) {}

// discards tells whether a sink is Discard, for which no pipe is needed.
func discards(sink func(string, []byte)) bool {
	return reflect.ValueOf(sink).Pointer() == reflect.ValueOf(Discard).Pointer()
}

// passThrough writes workers' lines, each with its worker's name, to a stream of this process. Whoever has a line leaves it here
// and goes on: a goroutine that is there only while there are any writes them, and what finds no room is dropped and counted.
type passThrough struct {
	to *os.File // taken by New: a program may set os.Stdout later

	mu      sync.Mutex
	waiting []byte
	dropped int
	idle    chan struct{} // closed when the goroutine has ended; nil when there is none
}

const (
	maxPassThrough  = 1 << 20     // bytes that may wait
	passThroughWait = time.Second // for what was not written when the pool ended
)

// sink is where a worker's lines go: to the caller's function, or by default through here; nil when they are not wanted.
func (s *passThrough) sink(own func(string, []byte), worker string) func(line []byte) {
	switch {
	case own == nil && s.to == nil, own != nil && discards(own):
		return nil
	case own == nil:
		own = s.line
	}
	return func(line []byte) { own(worker, line) }
}

// line is a sink.
func (s *passThrough) line(worker string, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting)+len(worker)+len(line) > maxPassThrough {
		s.dropped++
		return
	}
	s.waiting = append(append(append(append(s.waiting, worker...), ": "...), line...), '\n')
	if s.idle == nil {
		s.idle = make(chan struct{})
		go s.write(s.idle)
	}
}

func (s *passThrough) write(idle chan struct{}) {
	defer close(idle)
	var spare []byte
	for {
		s.mu.Lock()
		lines, dropped := s.waiting, s.dropped
		s.waiting, s.dropped = spare[:0], 0
		if len(lines) == 0 && dropped == 0 {
			s.idle, s.waiting = nil, nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if dropped > 0 {
			lines = fmt.Appendf(lines, "respawn: %d lines of the workers were dropped here: they came faster than they were read\n", dropped)
		}
		put(s.to, lines)
		spare = lines
	}
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

// wait waits until everything is written, though not for long.
func (s *passThrough) wait() {
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	if idle == nil {
		return
	}
	late := time.NewTimer(passThroughWait)
	defer late.Stop()
	select {
	case <-idle:
	case <-late.C:
	}
}

package inprocess

import (
	"io"
	"sync"

	"github.com/respawn-go/respawn/internal/process"
)

// pipe is one direction of a socket in memory. What is written never waits: a pool keeps little at a worker.
type pipe struct {
	mu      sync.Mutex
	changed sync.Cond
	data    []byte
	closed  bool // no more will come
	stopped bool // nobody is to wait for more
}

func newPipe() *pipe {
	p := &pipe{}
	p.changed.L = &p.mu
	return p
}

func (p *pipe) write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.data = append(p.data, b...)
		p.changed.Broadcast()
	}
}

// close ends the pipe after what was written.
func (p *pipe) close() { p.set(&p.closed) }

// stop makes receive return.
func (p *pipe) stop() { p.set(&p.stopped) }

func (p *pipe) set(flag *bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*flag = true
	p.changed.Broadcast()
}

// read waits for bytes; 0 is the end. What was not read before the end is not read after it.
func (p *pipe) read(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.data) == 0 && !p.closed {
		p.changed.Wait()
	}
	if p.closed {
		return 0
	}
	return p.take(b)
}

// poll reads without waiting.
func (p *pipe) poll(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.take(b)
}

// receive is process.receive.
func (p *pipe) receive(space func() []byte, got func(n int) bool) error {
	for {
		b := space()
		p.mu.Lock()
		for len(p.data) == 0 && !p.closed && !p.stopped {
			p.changed.Wait()
		}
		stopped, n := p.stopped, p.take(b)
		p.mu.Unlock()
		switch {
		case stopped && n == 0:
			return process.ErrReadStopped
		case n == 0:
			return io.EOF
		}
		if !got(n) {
			return nil
		}
	}
}

// take removes what fits into b.
func (p *pipe) take(b []byte) int {
	n := copy(b, p.data)
	if p.data = p.data[n:]; len(p.data) == 0 {
		p.data = nil
	}
	return n
}

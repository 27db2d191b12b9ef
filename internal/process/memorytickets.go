package process

import (
	"errors"
	"sync"
)

// MemoryTickets is the record of a worker of another language that is no process: its pipe is in memory. The worker can
// do to it whatever it could to a real one.
type MemoryTickets struct {
	tickets
	worker *memoryPipe
}

// NewMemoryTickets makes the record of one worker.
func NewMemoryTickets() *MemoryTickets {
	pipe := &memoryPipe{}
	return &MemoryTickets{tickets: *newTickets(pipe), worker: pipe}
}

// Issue puts what was offered into the pipe: the pool's side does it before it writes the frames.
func (t *MemoryTickets) Issue() { t.write() }

// Take is the worker's read of its pipe: it takes out what fits into b, and does not wait.
func (t *MemoryTickets) Take(b []byte) int {
	n, _ := t.worker.drain(b)
	return n
}

// Put is what no worker should do: it writes into the pipe.
func (t *MemoryTickets) Put(b []byte) { _ = t.worker.write(b) }

// memoryPipe is a ticketPipe in memory.
type memoryPipe struct {
	mu sync.Mutex
	b  []byte
}

func (p *memoryPipe) write(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.b)+len(b) > 8<<10 {
		return errors.New("full")
	}
	p.b = append(p.b, b...)
	return nil
}

func (p *memoryPipe) left() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.b), nil
}

func (p *memoryPipe) drain(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(b, p.b)
	p.b = p.b[n:]
	return n, nil
}

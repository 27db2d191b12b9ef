package pool

import (
	"io"
	"sync"
	"time"

	"github.com/respawn-go/respawn/internal/process"
)

// simPipe is one direction of a fake socket: bytes arrive in order, each after a delay of its own.
type simPipe struct {
	dice  dice          // of the delays
	limit int           // how many bytes fit
	more  chan struct{} // something to read, or the end
	room  chan struct{} // something was read

	mu     sync.Mutex
	chunks []simChunk
	size   int       // bytes written and not read
	last   time.Time // when the last of them arrives
	end    time.Time // when the reader sees the end; zero: never
}

// simChunk is some bytes on their way.
type simChunk struct {
	at   time.Time
	data []byte
}

// simLatency is the longest that bytes are under way, simNotice that the news of a death are.
const (
	simLatency = 30 * time.Microsecond
	simNotice  = 300 * time.Microsecond
)

func newSimPipe(d dice, limit int) *simPipe {
	return &simPipe{dice: d, limit: limit, more: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put sends what fits of b. It arrives after a delay, now and then in two pieces.
func (p *simPipe) put(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(len(b), p.limit-p.size)
	if n <= 0 || !p.end.IsZero() {
		return 0
	}
	first := n
	if p.dice.chance(.1) {
		first = p.dice.from(1, n)
	}
	p.send(b[:first])
	p.send(b[first:n])
	return n
}

// send makes a chunk that arrives later than all before it.
func (p *simPipe) send(b []byte) {
	if len(b) == 0 {
		return
	}
	at := time.Now().Add(p.dice.span(500, simLatency))
	if !at.After(p.last) {
		at = p.last.Add(p.dice.span(1, 100))
	}
	p.last = at
	p.chunks = append(p.chunks, simChunk{at, append([]byte(nil), b...)})
	p.size += len(b)
	poke(p.more)
}

// hangUp lets the reader see the end a little later, and after everything that was sent.
func (p *simPipe) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.end.IsZero() {
		return
	}
	p.end = time.Now().Add(p.dice.span(time.Microsecond, simNotice))
	if p.end.Before(p.last) {
		p.end = p.last
	}
	poke(p.more)
}

// get blocks until something has arrived (its size), the end (io.EOF), stop is closed (errReadStopped), or there is a wake (0).
func (p *simPipe) get(b []byte, stop, wake <-chan struct{}) (int, error) {
	for {
		select {
		case <-stop:
			return 0, process.ErrReadStopped
		default:
		}
		n, next, err := p.poll(b)
		if n > 0 || err != nil {
			return n, err
		}
		var arrival <-chan time.Time
		if !next.IsZero() {
			arrival = time.After(time.Until(next))
		}
		select {
		case <-p.more:
		case <-arrival:
		case <-stop:
		case <-wake:
			return 0, nil
		}
	}
}

// poll reads what has arrived, or tells when there will be more.
func (p *simPipe) poll(b []byte) (n int, next time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if len(p.chunks) > 0 {
		if at := p.chunks[0].at; at.After(now) {
			return 0, at, nil
		}
		return p.pull(b), time.Time{}, nil
	}
	if !p.end.IsZero() && !p.end.After(now) {
		return 0, time.Time{}, io.EOF
	}
	return 0, p.end, nil
}

// drain reads what was sent, whether it has arrived or not.
func (p *simPipe) drain(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.chunks) == 0 {
		return 0
	}
	return p.pull(b)
}

// pull takes bytes from the first chunk.
func (p *simPipe) pull(b []byte) int {
	c := &p.chunks[0]
	n := copy(b, c.data)
	if c.data = c.data[n:]; len(c.data) == 0 {
		p.chunks = p.chunks[1:]
	}
	p.size -= n
	poke(p.room)
	return n
}

package process

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/respawn-go/respawn/internal/wire"
)

// tickets is the record of a worker of another language, which cannot change memory by compare-and-swap. For each task
// the parent writes a ticket, its number, into a pipe before it writes the frame; the worker takes one out before it
// starts the task. A read of a pipe gives each byte to one reader, so a ticket is either the worker's or, when the
// parent takes back what is left, the parent's. The last ticket that the worker took is the task that it runs, and what
// is left when it is dead was never started.
//
// A ticket that was taken back is never written again: it would come after younger ones. So to revoke one task is to
// revoke all that are left, and they are sent anew under new numbers.
type tickets struct {
	pipe ticketPipe

	mu        sync.Mutex
	unwritten []byte   // offered, and not yet in the pipe
	issued    []uint32 // in the pipe at the last look, oldest first
	last      uint32   // the newest that the worker has taken
	broken    error    // what no worker should have done; nothing counts as unstarted any more
}

// ticketPipe is the parent's two ends of the pipe. Nothing blocks.
type ticketPipe interface {
	write(b []byte) error
	left() (bytes int, err error)        // how much is in the pipe
	drain(b []byte) (got int, err error) // takes out what fits into b
}

const ticketSize = 4

func newTickets(pipe ticketPipe) *tickets { return &tickets{pipe: pipe, last: ^uint32(0)} }

func (t *tickets) Offer(seq uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unwritten = binary.LittleEndian.AppendUint32(t.unwritten, seq)
}

// write puts what was offered into the pipe; before the frames are written.
func (t *tickets) write() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.unwritten) == 0 || t.broken != nil {
		return
	}
	if err := t.pipe.write(t.unwritten); err != nil {
		t.broken = fmt.Errorf("the pipe of tickets, which has room for all that can be at a worker, takes no more: %w",
			err)
		return
	}
	for b := t.unwritten; len(b) > 0; b = b[ticketSize:] {
		t.issued = append(t.issued, binary.LittleEndian.Uint32(b))
	}
	t.unwritten = t.unwritten[:0]
}

// taken tells whether the worker had taken the ticket of that number at the last look. Numbers count up, and around.
func (t *tickets) taken(seq uint32) bool { return t.broken != nil || int32(seq-t.last) <= 0 }

// look finds how many tickets are left.
func (t *tickets) look() {
	if len(t.issued) == 0 || t.broken != nil {
		return
	}
	n, err := t.pipe.left()
	t.leave(n, err)
}

// leave notes that only so many bytes are left of what was issued.
func (t *tickets) leave(n int, err error) {
	switch left := n / ticketSize; {
	case err != nil:
		t.broken = fmt.Errorf("the pipe of tickets: %w", err)
	case n%ticketSize != 0:
		t.broken = fmt.Errorf("a ticket of %d bytes was read in part", ticketSize)
	case left > len(t.issued):
		t.broken = fmt.Errorf("%d tickets are in the pipe, of %d that were written", left, len(t.issued))
	case left < len(t.issued):
		taken := len(t.issued) - left
		t.last = t.issued[taken-1]
		t.issued = append(t.issued[:0], t.issued[taken:]...)
	}
}

func (t *tickets) Revoke(seq uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken(seq) {
		return false
	}
	t.unwritten = t.unwritten[:0]
	if len(t.issued) > 0 {
		b := make([]byte, ticketSize*(len(t.issued)+1)) // one more, to see what is not ours
		n, err := t.pipe.drain(b)
		t.leave(n, err)
		for i, ours := range t.issued {
			if got := binary.LittleEndian.Uint32(b[ticketSize*i:]); t.broken == nil && got != ours {
				t.broken = fmt.Errorf("ticket %d is in the pipe where %d was written", got, ours)
			}
		}
		t.issued = t.issued[:0]
	}
	return !t.taken(seq)
}

func (t *tickets) Together() bool { return true }

func (t *tickets) Unstarted(seq uint32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken(seq) {
		return false
	}
	t.look()
	return !t.taken(seq)
}

func (t *tickets) Running() (wire.Phase, uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.look()
	return wire.PhaseRunning, t.last
}

func (t *tickets) Fault() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.broken
}

func (t *tickets) Pong() (uint32, bool)     { return 0, false }
func (t *tickets) Collected(uint64, int)    {}
func (t *tickets) Arm(wire.CrashPoint) bool { return false }

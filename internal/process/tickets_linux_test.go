package process

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/wire"
)

// ticketPair is a worker's record and the worker's end of it.
func ticketPair(t *testing.T) (*tickets, *os.File) {
	t.Helper()
	pipe, worker, err := newTicketPipe()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { pipe.close(); worker.Close() })
	return newTickets(pipe), worker
}

// takeTicket is what a worker does before each task.
func takeTicket(worker *os.File) (seq uint32, ok bool) {
	var b [ticketSize]byte
	n, err := unix.Read(int(worker.Fd()), b[:])
	return binary.LittleEndian.Uint32(b[:]), err == nil && n == ticketSize
}

func TestATicketIsEitherTakenOrTakenBack(t *testing.T) {
	g := NewWithT(t)
	rec, worker := ticketPair(t)
	const rounds = 3000
	ran := make(map[uint32]bool)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if seq, ok := takeTicket(worker); ok {
				ran[seq] = true
				continue
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	back := make(map[uint32]bool)
	begin := ^uint32(0) - rounds // so that the numbers go around
	next := begin
	rec.last = begin - 1
	first := begin // of those that may be at the worker
	for range rounds {
		for rec.Unstarted(next-1) && len(rec.issued) > wire.ClaimWords/2-20 { // no more than can be at a worker
		}
		for range rand.IntN(20) {
			rec.Offer(next)
			next++
		}
		if rand.IntN(10) > 0 {
			rec.write()
		}
		if rand.IntN(2) == 0 {
			for seq := first; seq != next; seq++ {
				if rec.Revoke(seq) {
					back[seq] = true
				}
			}
			first = next
		}
	}
	rec.write()
	g.Eventually(func() int { rec.Unstarted(next - 1); return len(rec.issued) }).WithTimeout(time.Minute).
		Should(BeZero())
	close(stop)
	<-done
	g.Expect(rec.Fault()).NotTo(HaveOccurred())
	for seq := begin; seq != next; seq++ {
		g.Expect(ran[seq]).NotTo(Equal(back[seq]), "number %d ran: %v, was taken back: %v", seq, ran[seq], back[seq])
	}
}

func TestTheNewestTicketTakenIsTheTaskThatRuns(t *testing.T) {
	g := NewWithT(t)
	rec, worker := ticketPair(t)
	for seq := range uint32(5) {
		rec.Offer(seq)
	}
	g.Expect(rec.Unstarted(0)).To(BeTrue(), "it is not even written")
	rec.write()
	for range 3 {
		takeTicket(worker)
	}
	_, seq := rec.Running()
	g.Expect(seq).To(BeEquivalentTo(2))
	g.Expect(rec.Unstarted(2)).To(BeFalse())
	g.Expect(rec.Revoke(2)).To(BeFalse())
	g.Expect(rec.Unstarted(3)).To(BeTrue())
	g.Expect(rec.Revoke(4)).To(BeTrue())
	g.Expect(rec.Revoke(3)).To(BeTrue(), "with one all are taken back")
	_, ok := takeTicket(worker)
	g.Expect(ok).To(BeFalse())
	rec.Offer(5)
	rec.write()
	seq, ok = takeTicket(worker)
	g.Expect(ok).To(BeTrue())
	g.Expect(seq).To(BeEquivalentTo(5), "the next goes on from there")
	g.Expect(rec.Fault()).NotTo(HaveOccurred())
}

func TestTicketsThatAWorkerForgesOrTearsAreAFaultAndTakeNothingBack(t *testing.T) {
	for what, do := range map[string]func(worker int){
		"one too many":      func(w int) { _, _ = unix.Write(w, []byte{9, 0, 0, 0, 9, 0, 0, 0}) },
		"half of one taken": func(w int) { _, _ = unix.Read(w, make([]byte, 2)) },
		"others in place of ours": func(w int) {
			var b [8]byte
			_, _ = unix.Read(w, b[:])
			_, _ = unix.Write(w, []byte{7, 0, 0, 0, 8, 0, 0, 0})
		},
	} {
		t.Run(what, func(t *testing.T) {
			g := NewWithT(t)
			rec, worker := ticketPair(t)
			rec.Offer(0)
			rec.Offer(1)
			rec.write()
			w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", worker.Fd()),
				unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
			g.Expect(err).NotTo(HaveOccurred())
			defer unix.Close(w)
			do(w)
			g.Expect(rec.Revoke(1)).To(BeFalse())
			g.Expect(rec.Fault()).To(HaveOccurred())
			g.Expect(rec.Unstarted(1)).To(BeFalse(), "what may have run is not run again as if it had not")
		})
	}
}

// A worker of another language has the pipe and can write into it, as docs/wire.md says.
func TestATicketThatIsPutBackIsSeenUnlessThePipeIsAsItWasWhenThePoolLooked(t *testing.T) {
	putBack := func(g *WithT, worker *os.File, seq uint32) {
		end, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", worker.Fd()), os.O_WRONLY, 0)
		g.Expect(err).NotTo(HaveOccurred())
		defer end.Close()
		_, err = end.Write(binary.LittleEndian.AppendUint32(nil, seq))
		g.Expect(err).NotTo(HaveOccurred())
	}
	for name, c := range map[string]struct {
		offered uint32
		look    bool // between the taking and the putting back
		seen    string
		started bool
	}{
		"behind others": {offered: 3, seen: "ticket 1 is in the pipe where 0 was written", started: true},
		"after a look, behind others": {
			offered: 3, look: true, seen: "3 tickets are in the pipe, of 2 that were written", started: true,
		},
		"after a look": {offered: 1, look: true, started: true},
		"before any":   {offered: 1},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			rec, worker := ticketPair(t)
			for seq := range c.offered {
				rec.Offer(seq)
			}
			rec.write()
			seq, ok := takeTicket(worker)
			g.Expect(ok).To(BeTrue())
			g.Expect(seq).To(BeZero())
			if c.look {
				g.Expect(rec.Unstarted(0)).To(BeFalse())
			}
			putBack(g, worker, 0)
			last := c.offered - 1
			g.Expect(rec.Revoke(last)).To(Equal(last == 0 && !c.started), "the last one")
			g.Expect(rec.Unstarted(0)).To(Equal(!c.started), "the one that was taken")
			if c.seen == "" {
				g.Expect(rec.Fault()).NotTo(HaveOccurred())
				return
			}
			g.Expect(rec.Fault()).To(MatchError(c.seen))
			for seq := range c.offered {
				g.Expect(rec.Unstarted(seq)).To(BeFalse(), "of a worker that broke its record")
			}
		})
	}
}

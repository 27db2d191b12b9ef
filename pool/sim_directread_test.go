package pool

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
)

// Callers who read their worker's socket themselves, and what comes between: docs/decisions/0025.

// alone is a config with which a reader stops after each task, and nobody finds out that a worker is stopped.
func alone(size int) Config {
	return Config{Size: size, lone: -1, Heartbeat: -1, StopGrace: time.Hour, CancelGrace: -1}
}

// calls gives the pool a task that slot 0 is stopped under, and returns what its caller, who reads, will have.
func (s *simulation) calls(g *WithT, ctx context.Context) <-chan error {
	_, err := s.task(time.Millisecond, OnSlot(0)).Result(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	synctest.Wait() // its reader has stopped
	s.in(0).pause()
	outcome := make(chan error, 1)
	go func() {
		_, err := simWork.Call(ctx, s.pool, s.argument(&simTask{work: time.Microsecond}))
		outcome <- err
	}()
	settle()
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	w := s.pool.st.slots[0].worker
	_, c := w.flight.oldest()
	g.Expect(c).NotTo(BeNil())
	g.Expect(c.reads == w).To(BeTrue(), "the caller reads")
	return outcome
}

func TestACancelledCallerWhoReadsIsWoken(t *testing.T) {
	staged(t, alone(1), func(g *WithT, s *simulation, p *Pool) {
		ctx, cancel := context.WithCancel(context.Background())
		outcome := s.calls(g, ctx)
		s.task(time.Millisecond) // takes his task's place, and is written before he is told
		s.in(0).lazy = true
		cancel()
		settle()
		g.Expect(outcome).To(Receive(MatchError(context.Canceled)))
	})
}

func TestACallerWhoReadsFromAStoppedWorkerIsWokenWhenAnotherHasAnswered(t *testing.T) {
	staged(t, alone(2), func(g *WithT, s *simulation, p *Pool) {
		s.task(5*time.Millisecond, OnSlot(1))
		outcome := s.calls(g, context.Background())
		p.mu.Lock()
		p.st.retire(p.st.slots[0].worker, ReasonRecycle)
		p.st.unlock()
		settle()
		g.Expect(outcome).To(Receive(BeNil()))
	})
}

func TestADeathIsNoticedThoughNobodyReads(t *testing.T) {
	staged(t, alone(1), func(g *WithT, s *simulation, p *Pool) {
		g.Expect(s.answers()).To(Succeed())
		synctest.Wait()
		killed(s.in(0), nil)
		<-time.After(2 * simNotice) // sooner than the keeper would call the reader
		g.Expect(p.Stats().Exits).To(BeEquivalentTo(1))
	})
}

func TestAWorkerThatIsGivenUpWhileItsResultIsCopiedHarmsNobody(t *testing.T) {
	staged(t, alone(1), func(g *WithT, s *simulation, p *Pool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		w := p.st.slots[0].worker
		board := w.board
		w.board, w.proc.(*simProcess).up = nil, []byte("a result") // as bury leaves it
		defer func() { w.board, w.proc.(*simProcess).up = board, nil }()
		f := &wire.Frame{Kind: wire.FrameValue, Payload: wire.AppendRef(nil, wire.Ref{Offset: 0, Size: 8})}
		large, err := w.largeResult(nil, f)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(large).To(Equal([]byte("a result")))
		g.Expect(p.st.collected(w, f, large)).To(MatchError(ContainSubstring("taken back")))
	})
}

func TestALargeArgumentIsNotReadAnyMoreWhenItsOwnerHasItBack(t *testing.T) {
	staged(t, alone(1), func(g *WithT, s *simulation, p *Pool) {
		p.mu.Lock()
		w := p.st.slots[0].worker
		w.proc.(*simProcess).down = make([]byte, simArena)
		w.writing = true // what is sent now is written later
		p.mu.Unlock()
		ctx, cancel := context.WithCancel(context.Background())
		outcome := make(chan error, 1)
		go func() {
			_, err := simWork.Call(ctx, p, make([]byte, wire.InlinePayload))
			outcome <- err
		}()
		synctest.Wait()
		seq, _ := w.flight.oldest()
		g.Expect(w.board.(wire.Page).Start(seq)).To(BeTrue()) // as a worker may that lies
		cancel()
		g.Expect(<-outcome).To(MatchError(context.Canceled))
		p.mu.Lock()
		w.writing = false
		o, ok := w.beginWrite()
		w.writing, w.proc.(*simProcess).down = false, nil
		p.st.unlock()
		g.Expect(ok).To(BeTrue())
		g.Expect(o.bytes).To(BeEmpty())
	})
}

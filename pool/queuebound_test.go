package pool

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// refused tells whether the task was not accepted.
func refused(f *Future[[]byte]) bool { return f.TaskID() == 0 }

// A worker that has not answered yet takes one task. What is held back for a moment, to travel together, is no
// exception.
func TestABurstIsAcceptedUpToTheQueueLimit(t *testing.T) {
	for _, limit := range []int{1, 2, 10, 100} {
		staged(t, Config{Size: 2, QueueLimit: limit}, func(g *WithT, s *simulation, p *Pool) {
			accepted := 0
			for range 5000 {
				if !refused(s.task(time.Hour)) {
					accepted++
				}
			}
			g.Expect(accepted).To(Equal(limit+2), "limit %d", limit)
			g.Expect(p.Stats().Queued).To(Equal(limit))
		})
	}
}

// Tiny tasks before it make the pool hold more tasks back, and the workers take more at once.
func TestABurstOfTinyTasksKeepsToTheQueueLimit(t *testing.T) {
	staged(t, Config{Size: 2, QueueLimit: 3}, func(g *WithT, s *simulation, p *Pool) {
		for range 64 {
			_, err := s.task(0).Result(context.Background())
			g.Expect(err).NotTo(HaveOccurred())
		}
		for range 2000 {
			s.task(0)
			g.Expect(p.Stats().Queued).To(BeNumerically("<=", 3))
		}
	})
}

func TestSubmittersThatWaitForRoomKeepToTheQueueLimitAndAllGetIn(t *testing.T) {
	staged(t, Config{Size: 2, QueueLimit: 1, QueueBlock: true}, func(g *WithT, s *simulation, p *Pool) {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for range 20 {
					f := s.task(time.Microsecond)
					g.Expect(p.Stats().Queued).To(BeNumerically("<=", 1))
					g.Expect(refused(f)).To(BeFalse())
				}
			})
		}
		all.Wait()
		g.Expect(p.Drain(context.Background())).To(Succeed())
		g.Expect(p.Stats().OK).To(BeEquivalentTo(16 * 20))
	})
}

func TestAProbeIsAcceptedWhileTheQueueIsFull(t *testing.T) {
	staged(t, Config{Size: 1, QueueLimit: 2}, func(g *WithT, s *simulation, p *Pool) {
		for range 3 {
			g.Expect(refused(s.task(time.Second))).To(BeFalse())
		}
		g.Expect(refused(s.task(time.Second))).To(BeTrue())
		began := time.Now()
		probe, second, third := s.task(time.Millisecond, OnSlot(0)), s.task(time.Millisecond, OnSlot(0)),
			s.task(time.Millisecond, OnSlot(0))
		_, err := probe.Result(context.Background())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(time.Since(began)).To(BeNumerically("<", 2*time.Second), "not before the queued tasks")
		g.Expect(refused(second)).To(BeFalse())
		_, err = third.Result(context.Background())
		g.Expect(err).To(MatchError(ErrQueueFull), "a slot's own queue has the limit too")
	})
}

func TestACancelledQueuedTaskLeavesNothingBehind(t *testing.T) {
	staged(t, Config{Size: 1, QueueLimit: 10}, func(g *WithT, s *simulation, p *Pool) {
		s.task(time.Hour)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var alive []*Future[[]byte]
		for range 5 {
			alive = append(alive, s.task(time.Millisecond))
		}
		for i := range 5000 {
			each, drop := context.WithCancel(ctx)
			f := s.taskIn(each, time.Millisecond)
			g.Expect(refused(f)).To(BeFalse(), "task %d", i)
			drop()
			<-f.Done()
			synctest.Wait() // a Remote settles it before its pool does
			g.Expect(f.call.data).To(BeNil())
			p.mu.Lock()
			size, ring := p.st.queue.size, len(p.st.queue.ring)
			p.mu.Unlock()
			g.Expect(size).To(BeNumerically("<=", 2*len(alive)+maxBuried))
			g.Expect(ring).To(BeNumerically("<=", 64))
		}
		p.mu.Lock()
		waiting := make([]*call, 0, len(alive))
		for i := range p.st.queue.size {
			if c := p.st.queue.ring[(p.st.queue.head+i)&(len(p.st.queue.ring)-1)]; !c.settled {
				waiting = append(waiting, c)
			}
		}
		p.mu.Unlock()
		for i, f := range alive { // in their order
			g.Expect(waiting[i].data).To(Equal(f.call.data))
		}
	})
}

// Callers are about to come back, but these wait for room already, and would be held up until a worker answers.
func TestAnIdleWorkerTakesTinyTasksWhileSubmittersWaitForRoom(t *testing.T) {
	g, p := NewWithT(t), &Pool{}
	p.st = state{Pool: p, staff: staff{ready: 1}, pacer: pacer{coalescing: true}}
	p.st.queue.pushBack(&call{})
	g.Expect(p.st.share(&worker{p: p})).To(BeZero())
	p.st.blocked = 1
	g.Expect(p.st.share(&worker{p: p})).To(Equal(1))
}

func TestAPeakDoesNotCostTheQueueMemoryForEver(t *testing.T) {
	g := NewWithT(t)
	var popped, buried queue
	calls := make([]call, 3*maxIdleRing)
	for i := range calls {
		popped.pushBack(&calls[i])
	}
	for popped.front() != nil {
		popped.pop()
	}
	g.Expect(popped.ring).To(BeEmpty())
	for i := range calls {
		buried.pushBack(&calls[i])
	}
	for i := range calls {
		calls[i].settled = true
		buried.bury()
	}
	g.Expect(buried.ring).To(HaveLen(4 * maxIdleRing)) // some are buried in it yet
	g.Expect(buried.front()).To(BeNil())
	g.Expect(buried.ring).To(BeEmpty())
}

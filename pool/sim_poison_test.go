package pool

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/process"

	. "github.com/onsi/gomega"
)

// Tasks that end their workers, and the breaker: docs/decisions/0030.

func TestAFewPoisonTasksDoNotOpenTheBreaker(t *testing.T) {
	for _, how := range []process.Status{{Code: 42}, {Code: 0}, {Code: -1, Signal: syscall.SIGSEGV}} {
		staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
			events := p.Subscribe(1000)
			var poison, good []*Future[[]byte]
			for range 4 {
				poison = append(poison, s.poison(how))
			}
			for range 4 {
				good = append(good, s.task(time.Millisecond))
			}
			for _, f := range good {
				_, err := f.Result(context.Background())
				g.Expect(err).NotTo(HaveOccurred())
			}
			for _, f := range poison {
				_, err := f.Result(context.Background())
				g.Expect(err).To(BeAssignableToTypeOf(&WorkerLostError{}))
				g.Expect(f.Outcome().Exits).To(HaveLen(3))
			}
			p.Terminate()
			for e := range events.C {
				g.Expect(e.Kind).NotTo(Equal(BreakerOpened))
			}
		})
	}
}

func TestPoisonBesideWorkingTasksDoesNotOpenTheBreakerHoweverMuchThereIs(t *testing.T) {
	staged(t, Config{Size: 2, Delivery: AtMostOnce, Backoff: Backoff{Threshold: 2}}, func(g *WithT, s *simulation, p *Pool) {
		g.Expect(s.answers()).To(Succeed())
		for range 50 { // each on a worker that has settled nothing: the other one does the working
			_, err := s.poison(process.Status{Code: 42}, OnSlot(0)).Result(context.Background())
			g.Expect(err).To(BeAssignableToTypeOf(&WorkerLostError{}))
			g.Expect(s.answers(OnSlot(1))).To(Succeed())
			g.Expect(p.Stats().BreakerOpen).To(BeFalse())
		}
		g.Expect(p.Stats().BootFailures).To(BeZero())
	})
}

func TestHoweverMuchPoisonIsAtTheHeadOfTheQueueWhatIsBehindItIsAnswered(t *testing.T) {
	for _, how := range []process.Status{{Code: 9}, {Code: 0}, {Code: -1, Signal: syscall.SIGSEGV}, {Code: -1, Signal: syscall.SIGKILL}} {
		for _, size := range []int{1, 4} {
			staged(t, Config{Size: size}, func(g *WithT, s *simulation, p *Pool) {
				var poison, good []*Future[[]byte]
				for range 40 {
					poison = append(poison, s.poison(how))
				}
				for range 50 {
					good = append(good, s.task(time.Millisecond))
				}
				began := time.Now()
				for _, f := range good {
					_, err := f.Result(context.Background())
					g.Expect(err).NotTo(HaveOccurred())
				}
				budget := map[bool]int{true: 16, false: 3}[how.Signal == syscall.SIGKILL]
				for _, f := range poison {
					_, err := f.Result(context.Background())
					g.Expect(err).To(BeAssignableToTypeOf(&WorkerLostError{}))
					g.Expect(f.Outcome().Exits).To(HaveLen(budget))
				}
				g.Expect(time.Since(began)).To(BeNumerically("<", time.Minute), "no start is put off for it")
				g.Expect(p.Stats()).To(And(HaveField("BootFailures", BeZero()), HaveField("BreakerOpen", false)))
				g.Expect(p.Stats().Started).To(BeNumerically("<=", size+40*budget+size), "the budgets bound the starts")
			})
		}
	}
}

func TestAProbeThatDiesOfItsTaskTellsNothing(t *testing.T) {
	cfg := Config{Size: 2, Heartbeat: -1, Backoff: Backoff{Threshold: 2, Base: 10 * time.Millisecond}, Budgets: Budgets{Crashes: 4}}
	staged(t, cfg, func(g *WithT, s *simulation, p *Pool) {
		long := s.task(time.Hour, OnSlot(1)) // keeps the pool from being deserted
		events := p.Subscribe(1000)
		s.bootsFail(50 * time.Millisecond)
		poison := s.poison(process.Status{Code: 42}, OnSlot(0))
		_, err := poison.Result(context.Background())
		g.Expect(err).To(BeAssignableToTypeOf(&WorkerLostError{}))
		g.Expect(s.answers(OnSlot(0))).To(Succeed())
		settle()
		<-time.After(readySettle)
		g.Expect(p.Stats()).To(And(HaveField("Ready", 2), HaveField("BreakerOpen", false)))
		g.Expect(long.Done()).NotTo(BeClosed())
		p.Terminate()
		openings := 0
		for e := range events.C {
			if e.Kind == BreakerOpened {
				openings++
				g.Expect(e.Err).NotTo(MatchError(ContainSubstring("died right after it was ready")))
			}
		}
		g.Expect(openings).To(BeNumerically(">=", 1))
	})
}

// answers has a task of no length settled.
func (s *simulation) answers(opts ...Option) error {
	_, err := s.task(time.Microsecond, opts...).Result(context.Background())
	return err
}

// bootsFail breaks the initializer for so long from now on.
func (s *simulation) bootsFail(span time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.faulty, s.healAt = time.Now(), true, time.Now().Add(span)
	s.plan.broken = [2]time.Duration{0, span}
}

package pool

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/respawn-go/respawn/internal/process"

	. "github.com/onsi/gomega"
)

// Boots that fail, with the defaults of Backoff: docs/decisions/0030.

func TestBootsThatFailSlowlyFailWhatWaitsForThem(t *testing.T) {
	for _, boot := range []time.Duration{time.Millisecond, 2 * time.Second, 15 * time.Second} {
		staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
			s.plan.boot = boot
			s.bootsFail(24 * time.Hour)
			for slot := range 2 {
				killed(s.in(slot), nil)
			}
			settle()
			_, err := s.task(time.Millisecond).Result(context.Background())
			g.Expect(err).To(And(MatchError(ErrCrashLoop), MatchError(ContainSubstring("the initializer is broken"))))
			g.Expect(p.Stats().BootFailures).To(BeEquivalentTo(5 + 2))
		})
	}
}

func TestBootsThatAreKilledFailWhatWaitsForThemAndAreToldAsWhatTheyAre(t *testing.T) {
	staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
		events := p.Subscribe(1000)
		s.bootsAreKilled(true)
		for slot := range 2 {
			killed(s.in(slot), nil)
		}
		settle()
		_, err := s.task(time.Millisecond).Result(context.Background())
		var loop *CrashLoopError
		g.Expect(errors.As(err, &loop)).To(BeTrue(), "%v", err)
		g.Expect(loop.Failures).To(Equal(5 + 2))
		g.Expect(err).To(MatchError(ContainSubstring("exited before it was ready")))
		var boot *BootError
		g.Expect(errors.As(err, &boot)).To(BeTrue(), "%v", err)
		g.Expect(boot.Exit).To(And(HaveField("Kind", KindKilled), HaveField("Signal", syscall.SIGKILL)))
		<-time.After(time.Minute)
		g.Expect(s.answers()).To(MatchError(ErrCrashLoop), "probes are killed too")
		s.bootsAreKilled(false)
		<-time.After(time.Minute)
		g.Expect(s.answers()).To(Succeed(), "it recovers by itself")
		p.Terminate()
		told := 0
		for e := range events.C {
			if e.Kind == BootFailed {
				told++
			}
		}
		g.Expect(told).To(BeNumerically(">=", 5+2))
	})
}

func TestBootsThatAreKilledBesideAWorkerThatWorksDoNotOpenTheBreaker(t *testing.T) {
	staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
		s.bootsAreKilled(true)
		killed(s.in(1), nil)
		<-time.After(30 * time.Minute)
		g.Expect(p.Stats()).To(And(HaveField("Ready", 1), HaveField("BreakerOpen", false), HaveField("BootFailures", BeZero())))
		g.Expect(s.answers()).To(Succeed())
	})
}

func TestNewFailsWhenEveryBootIsKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := NewWithT(t), newSimulation(1, mutantNone)
		simulations.Store(s.number, s)
		defer simulations.Delete(s.number)
		s.plan.weather, s.plan.bulk, s.plan.tasks = simWeather{}, false, nil
		s.bootsAreKilled(true)
		_, err := New(context.Background(), Config{Size: 2, jitter: s.plan.cfg.jitter, Initializer: s.plan.cfg.Initializer, start: s.startProcess})
		g.Expect(err).To(And(MatchError(ErrCrashLoop), MatchError(ContainSubstring("exitcode=-SIGKILL"))))
	})
}

// bootsAreKilled has every worker killed while it boots, as the kernel does where memory runs out.
func (s *simulation) bootsAreKilled(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bootKills = on
}

func TestNewGivesUpOnASlotThatNeverBootsBesideOneThatDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := NewWithT(t), newSimulation(1, mutantNone)
		simulations.Store(s.number, s)
		defer simulations.Delete(s.number)
		s.plan.weather, s.plan.bulk, s.plan.tasks, s.plan.boot = simWeather{}, false, nil, 2*time.Second
		_, err := New(context.Background(), Config{
			Size: 2, jitter: s.plan.cfg.jitter, Initializer: s.plan.cfg.Initializer,
			start: func(spec process.Spec) (process.Process, error) {
				if spec.Slot == 1 {
					return nil, syscall.EAGAIN
				}
				return s.startProcess(spec)
			},
		})
		g.Expect(err).To(And(MatchError(ErrCrashLoop), MatchError(syscall.EAGAIN)))
	})
}

func TestASlotThatNeverBootsDoesNotOpenTheBreakerForItsNeighbour(t *testing.T) {
	staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
		s.plan.boot = 2 * time.Second
		s.bootsFail(time.Hour)
		killed(s.in(1), nil)
		<-time.After(30 * time.Minute)
		g.Expect(p.Stats()).To(And(HaveField("Ready", 1), HaveField("BreakerOpen", false), HaveField("BootFailures", BeNumerically(">", 100))))
		s.bootsFail(0)
		killed(s.in(0), nil)
		g.Expect(s.answers(OnSlot(0))).To(Succeed(), "its first restart is immediate")
	})
}

func TestABootFailureNowAndThenDoesNotOpenTheBreaker(t *testing.T) {
	for name, proves := range map[string]func(s *simulation) error{
		"workers that settle a task": func(s *simulation) error { return s.answers() },
		"workers that stay up":       func(*simulation) error { <-time.After(2 * readySettle); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			staged(t, Config{Size: 1}, func(g *WithT, s *simulation, p *Pool) {
				events := p.Subscribe(10_000)
				for range 50 {
					s.bootsFail(time.Second)
					killed(s.in(0), nil)
					<-time.After(time.Minute)
					g.Expect(p.Stats().Ready).To(Equal(1))
					g.Expect(proves(s)).To(Succeed())
				}
				g.Expect(p.Stats().BootFailures).To(BeNumerically(">", 50))
				p.Terminate()
				for e := range events.C {
					g.Expect(e.Kind).NotTo(Equal(BreakerOpened))
				}
			})
		})
	}
}

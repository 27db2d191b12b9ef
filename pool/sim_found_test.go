package pool

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
)

// What the simulation found, each as a story of its own: with fake processes, in virtual time, and without chance.

// staged is a pool of fake processes on which nothing fails but what the test does to it.
func staged(t *testing.T, cfg Config, play func(g *WithT, s *simulation, p *Pool)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(1, mutantNone)
		simulations.Store(s.number, s)
		defer simulations.Delete(s.number)
		s.plan.weather, s.plan.bulk, s.plan.tasks = simWeather{}, false, nil
		cfg.start, cfg.jitter, cfg.Initializer = s.startProcess, s.plan.cfg.jitter, s.plan.cfg.Initializer
		s.plan.cfg = cfg
		p, err := New(t.Context(), cfg)
		g := NewWithT(t)
		g.Expect(err).NotTo(HaveOccurred())
		s.pool = p
		defer func() {
			p.Terminate()
			s.afterwards()
			g.Expect(s.violations).To(BeEmpty())
		}()
		play(g, s, p)
	})
}

// task makes a task that takes so long, and submits it.
func (s *simulation) task(work time.Duration, opts ...Option) *Future[[]byte] {
	return s.taskIn(context.Background(), work, opts...)
}

func (s *simulation) taskIn(ctx context.Context, work time.Duration, opts ...Option) *Future[[]byte] {
	return simWork.Submit(ctx, via(s.pool), s.argument(&simTask{work: work}), opts...)
}

// poison submits a task that ends each worker that runs it, after a millisecond at most.
func (s *simulation) poison(how process.Status, opts ...Option) *Future[[]byte] {
	return simWork.Submit(context.Background(), via(s.pool), s.argument(&simTask{work: time.Millisecond, poison: &how}),
		opts...)
}

// argument adds the task to the plan.
func (s *simulation) argument(t *simTask) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.n, t.fail, t.size = len(s.plan.tasks), wire.FrameValue, simArgSize
	s.plan.tasks = append(s.plan.tasks, t)
	return t.argument(s.number)
}

// in is the process in the slot, or on the bench (-1).
func (s *simulation) in(slot int) *simProcess {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if slot < 0 {
		return s.pool.st.bench[0].proc.(*simProcess)
	}
	return s.pool.st.slots[slot].worker.proc.(*simProcess)
}

// quiesce lets everything that is under way come to rest.
func quiesce() {
	<-time.After(10 * time.Millisecond)
	synctest.Wait()
}

func TestASpareThatSaysGoodbyeIsNotCountedAndNotAdopted(t *testing.T) {
	staged(t, Config{Size: 2, Spares: 1, StopGrace: time.Second}, func(g *WithT, s *simulation, p *Pool) {
		quiesce()
		s.in(-1).terminate()
		quiesce()
		g.Expect(p.Stats()).To(And(HaveField("Ready", 2), HaveField("Spares", 1)))
	})
}

func TestASpareThatCannotBeReapedIsGivenUp(t *testing.T) {
	staged(t, Config{Size: 1, Spares: 1}, func(g *WithT, s *simulation, p *Pool) {
		quiesce()
		w := s.in(-1)
		w.unreapable = true
		w.hangUpOnParent()
		<-time.After(time.Second + quarantineWait)
		quiesce()
		g.Expect(p.Stats().Spares).To(Equal(1))
		g.Expect(s.in(-1)).NotTo(Equal(w))
	})
}

func TestAKilledWorkerGetsNoTasksWhileItCannotBeReaped(t *testing.T) {
	staged(t, Config{Size: 2, Heartbeat: 100 * time.Millisecond}, func(g *WithT, s *simulation, p *Pool) {
		w := s.in(0)
		w.unreapable = true
		killed(w, nil)
		<-time.After(time.Second) // its silence was noticed, its end was not
		g.Expect(p.Stats().Ready).To(Equal(1))
		for range 8 {
			_, err := s.task(time.Millisecond).Result(context.Background())
			g.Expect(err).NotTo(HaveOccurred())
		}
		g.Expect(p.Stats().Requeued).To(BeZero())
	})
}

func TestATaskIsNotTimedOutForTheTimeItsWorkerWasStoppedBefore(t *testing.T) {
	staged(t, Config{Size: 1, TaskTimeout: 40 * time.Millisecond, Heartbeat: -1},
		func(g *WithT, s *simulation, p *Pool) {
			w := s.in(0)
			w.pause()
			f := s.task(30 * time.Millisecond)
			<-time.After(300 * time.Millisecond)
			w.resume()
			_, err := f.Result(context.Background())
			g.Expect(err).NotTo(HaveOccurred())
		})
}

func TestTheFirstTaskOfAWorkerHasItsTime(t *testing.T) {
	staged(t, Config{Size: 1, TaskTimeout: 40 * time.Millisecond, Heartbeat: minHeartbeat},
		func(g *WithT, s *simulation, p *Pool) {
			_, err := s.task(30 * time.Millisecond).Result(context.Background())
			g.Expect(err).NotTo(HaveOccurred())
		})
}

func TestAPinnedTaskDoesNotOutliveItsSlot(t *testing.T) {
	staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
		f := s.task(time.Second, OnSlot(1))
		quiesce()
		w := s.in(1)
		g.Expect(p.Resize(1)).To(Succeed())
		killed(w, nil)
		_, err := f.Result(context.Background())
		g.Expect(err).To(MatchError(ErrNoSuchSlot))
	})
}

func TestACancelledTaskThatHasReturnedDoesNotCostTheNextOne(t *testing.T) {
	staged(t, Config{Size: 1, CancelGrace: 50 * time.Millisecond, Heartbeat: -1},
		func(g *WithT, s *simulation, p *Pool) {
			for range 4 { // so tiny that several are sent at a time
				_, err := s.task(time.Microsecond).Result(context.Background())
				g.Expect(err).NotTo(HaveOccurred())
			}
			ctx, cancel := context.WithCancel(context.Background())
			w := s.in(0)
			s.task(time.Millisecond)
			cancelled := s.taskIn(ctx, time.Microsecond) // sent together with
			next := s.task(200*time.Millisecond, WithDelivery(AtMostOnce))
			// while the result of the first waits to be written with the second's
			w.later(1900*time.Microsecond, w.pause)
			w.later(2*time.Millisecond, cancel)
			w.later(150*time.Millisecond, w.resume)
			_, err := next.Result(context.Background())
			g.Expect(err).NotTo(HaveOccurred())
			<-cancelled.Done()
			g.Expect(p.Stats().Exits).To(BeZero())
		})
}

func TestAWorkerThatDiesWhileItRetiresIsReportedAsWhatItWas(t *testing.T) {
	staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
		f := s.task(time.Second, OnSlot(1), WithDelivery(AtMostOnce))
		quiesce()
		w := s.in(1)
		g.Expect(p.Resize(1)).To(Succeed())
		w.die(process.Status{Code: 42})
		<-f.Done()
		g.Expect(f.Outcome().Exits).
			To(ConsistOf(And(HaveField("Kind", KindCrashed), HaveField("Reason", ReasonNone), HaveField("Code", 42))))
	})
}

func TestTheBreakerClosesWhenTheSlotThatOpenedItIsGone(t *testing.T) {
	staged(t, Config{Size: 1, Backoff: Backoff{Threshold: 2, Base: 10 * time.Millisecond}},
		func(g *WithT, s *simulation, p *Pool) {
			s.bootsFail(time.Hour)
			g.Expect(p.Resize(2)).To(Succeed())
			<-time.After(time.Second)
			g.Expect(p.Stats().BreakerOpen).To(BeTrue())
			g.Expect(p.Resize(1)).To(Succeed())
			<-time.After(time.Second)
			g.Expect(p.Stats()).To(And(HaveField("BreakerOpen", false), HaveField("Ready", 1)))
		})
}

func TestTheBreakerClosesThatAWorkerOpensWhoseSlotIsGone(t *testing.T) {
	staged(t, Config{Size: 2, Backoff: Backoff{Threshold: 1}}, func(g *WithT, s *simulation, p *Pool) {
		w := s.in(1)
		w.pause() // before it can heed what it is told
		g.Expect(p.Resize(1)).To(Succeed())
		w.die(process.Status{Code: 42})
		quiesce()
		g.Expect(p.Stats()).To(And(HaveField("BootFailures", BeEquivalentTo(1)), HaveField("BreakerOpen", false),
			HaveField("Ready", 1)))
	})
}

// It dies before it is due, and its record comes only after.
func TestADeadWorkerIsNotRecycled(t *testing.T) {
	staged(t, Config{Size: 1, MaxAge: time.Second}, func(g *WithT, s *simulation, p *Pool) {
		events := p.Subscribe(100)
		w := s.in(0)
		w.slowOutput = 2 * time.Second
		w.die(process.Status{})
		for e := range events.C {
			g.Expect(e.Kind).NotTo(Equal(WorkerRetiring))
			if e.Kind == WorkerExited {
				g.Expect(e.Exit.Reason).To(Equal(ReasonNone))
				return
			}
		}
	})
}

func TestADeadWorkerDidNotEndBecauseItWasToldToAfterwards(t *testing.T) {
	staged(t, Config{Size: 1}, func(g *WithT, s *simulation, p *Pool) {
		w := s.in(0)
		w.slowOutput = time.Second
		w.die(process.Status{})
		quiesce()
		g.Expect(p.Restart(context.Background())).To(Succeed())
		g.Expect(p.Workers()[0].LastExit.Reason).To(Equal(ReasonNone))
	})
}

// The keeper looks at a worker with tasks in flight each millisecond, holding the lock; reading /proc takes longer than
// all else that it does then.
func TestMemoryIsLookedAtFourTimesASecondHoweverBusyAWorkerIs(t *testing.T) {
	staged(t, Config{Size: 1, SoftMemory: GiB * 1024, Heartbeat: -1}, func(g *WithT, s *simulation, _ *Pool) {
		w := s.in(0)
		before, began := w.weighed.Load(), time.Now()
		for time.Since(began) < time.Second {
			var batch []*Future[[]byte]
			for range 50 {
				batch = append(batch, s.task(100*time.Microsecond))
			}
			for _, f := range batch {
				<-f.Done()
			}
		}
		g.Expect(w.weighed.Load() - before).To(And(BeNumerically(">=", 3), BeNumerically("<=", 6)))
	})
}

func TestATaskThatIsTakenFromBehindALongOneHasItsTimeout(t *testing.T) {
	for range 20 { // the keeper looks at the workers in any order
		staged(t, Config{Size: 2, Heartbeat: -1}, func(g *WithT, s *simulation, p *Pool) {
			for range 8 { // so tiny that several are sent at a time
				g.Expect(s.answers(OnSlot(0))).To(Succeed())
			}
			s.task(20*time.Microsecond, OnSlot(0))
			s.task(time.Millisecond, OnSlot(1))
			s.task(time.Hour) // sent together with
			f := s.task(time.Hour, WithTimeout(10*time.Millisecond))
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, err := f.Result(ctx)
			g.Expect(p.Stats().Revoked).To(BeEquivalentTo(1))
			g.Expect(err).To(BeAssignableToTypeOf(&TimeoutError{}))
		})
	}
}

func TestRestartWhileSlotsComeAndGo(t *testing.T) {
	staged(t, Config{Size: 3}, func(g *WithT, s *simulation, p *Pool) {
		var resizing sync.WaitGroup
		resizing.Go(func() {
			for n := range 200 {
				g.Expect(p.Resize(2 + n%2)).To(Succeed())
				<-time.After(50 * time.Microsecond)
			}
		})
		g.Expect(p.Restart(context.Background())).To(Succeed())
		resizing.Wait()
		quiesce()
		g.Expect(p.Stats().Ready).To(Equal(3))
	})
}

func TestMapNamesEveryInputThatACancellationLeftOut(t *testing.T) {
	staged(t, Config{Size: 1}, func(g *WithT, s *simulation, p *Pool) {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Millisecond)
		defer cancel()
		var args [][]byte
		for range 10 {
			args = append(args, s.argument(&simTask{work: 10 * time.Millisecond}))
		}
		_, err := simWork.Map(ctx, via(p), args)
		g.Expect(err).To(MatchError(And(ContainSubstring("item 1:"), ContainSubstring("item 9:"))))
	})
}

// Callers who read their worker's socket themselves, and what comes between: docs/decisions/0025.

// alone is a config with which a reader stops after each task, and nobody finds out that a worker is stopped.
func alone(size int) Config {
	return Config{Size: size, directAfter: -1, Heartbeat: -1, StopGrace: time.Hour, CancelGrace: -1}
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
	quiesce()
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
		s.task(time.Millisecond) // takes that task's place, and is written before its caller is told
		s.in(0).lazy = true
		cancel()
		quiesce()
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
		quiesce()
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

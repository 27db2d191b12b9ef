package pool

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
)

// simSite is where in a worker's life, or around it, a fault strikes.
type simSite int

const (
	atSpawn simSite = iota // before the process exists
	atBoot                 // before it has read its hello frame
	atRead                 // tasks have arrived, none of them is started
	atExec                 // a handler is about to run
	atWrite                // frames are about to be written
	atExit                 // asked to stop, about to exit
	outside                // whenever somebody strikes, whatever it is doing
	simSites
)

// simFault is one row of the experiment: what is done to a worker. A fault may end the worker's goroutine.
type simFault struct {
	at     simSite
	weight int
	name   string
	do     func(w *simProcess, x *simMoment)
}

// simMoment is what a fault can change of what the worker is doing.
type simMoment struct {
	dice   dice
	err    error         // atSpawn: instead of a process
	wait   time.Duration // atBoot, atExec: how much longer it takes
	frames []byte        // atWrite: what is about to be written
	ends   []int         // where each of the frames ends
	honest int           // how much of it the worker means
}

// simFaults is the design of the experiment: at each site one of its rows is picked by weight, as often as the weather
// has it. Deaths inside the protocol come first; the rare and the strange follow.
var simFaults = []simFault{
	{atSpawn, 4, "EAGAIN", func(_ *simProcess, x *simMoment) { x.err = syscall.EAGAIN }},
	{atSpawn, 1, "ENOMEM", func(_ *simProcess, x *simMoment) { x.err = syscall.ENOMEM }},

	{atBoot, 4, "SIGKILL while booting", killed},
	{atBoot, 2, "SIGTERM while booting", func(w *simProcess, _ *simMoment) { w.terminate() }},
	{atBoot, 4, "exit 1 while booting", exits(1)},
	{atBoot, 2, "a slow boot", func(w *simProcess, x *simMoment) { x.wait = w.sim.plan.cfg.BootTimeout / 2 }},
	{atBoot, 2, "a boot that never ends", func(w *simProcess, x *simMoment) { x.wait = w.never() }},
	{atBoot, 3, "death soon after ready", func(w *simProcess, x *simMoment) {
		w.later(x.dice.span(time.Millisecond, readySettle), func() { w.die(process.Status{Code: 2}) })
	}},
	{atBoot, 1, "cannot be limited", func(w *simProcess, _ *simMoment) { w.confineErr = syscall.EPERM }},
	{atBoot, 1, "cannot be reaped when it dies", func(w *simProcess, _ *simMoment) { w.unreapable = true }},
	{atBoot, 1, "a child holds its socket open", func(w *simProcess, _ *simMoment) { w.held = true }},

	{atRead, 6, "SIGKILL with tasks sent and none started", killed},
	{atRead, 2, "SIGSTOP with tasks sent and none started", paused},

	{atExec, 4, "SIGKILL before the handler", killed},
	{atExec, 8, "SIGKILL in the handler", midway(process.Status{Code: -1, Signal: syscall.SIGKILL})},
	{atExec, 3, "SIGSEGV in the handler", midway(process.Status{Code: -1, Signal: syscall.SIGSEGV})},
	{atExec, 2, "exit 42 in the handler", midway(process.Status{Code: 42})},
	{atExec, 2, "exit 0 in the handler", midway(process.Status{Code: 0})},
	{atExec, 2, "SIGTERM in the handler", func(w *simProcess, x *simMoment) { w.later(x.wait/2+1, w.terminate) }},
	{atExec, 2, "out of memory in the handler", func(w *simProcess, _ *simMoment) { w.runOutOfMemory() }},
	{atExec, 3, "a handler that hangs", func(w *simProcess, x *simMoment) { x.wait = w.never() }},
	{atExec, 3, "SIGSTOP in the handler", paused},
	{atExec, 1, "cannot be reaped when it dies", func(w *simProcess, x *simMoment) {
		w.unreapable = true
		midway(process.Status{Code: -1, Signal: syscall.SIGKILL})(w, x)
	}},

	{atWrite, 4, "SIGKILL before the results are written", killed},
	{atWrite, 8, "SIGKILL inside a result frame", func(w *simProcess, x *simMoment) {
		w.tear(x, x.dice.IntN(len(x.frames)))
	}},
	{atWrite, 4, "SIGKILL between two frames", func(w *simProcess, x *simMoment) {
		w.tear(x, x.ends[x.dice.IntN(len(x.ends))])
	}},
	{
		atWrite, 8, "SIGKILL after the results are written",
		func(w *simProcess, x *simMoment) { w.tear(x, len(x.frames)) },
	},
	{atWrite, 1, "garbage instead of results", func(w *simProcess, x *simMoment) {
		for i := range x.frames {
			x.frames[i] = byte(x.dice.Uint32())
		}
		x.honest = 0
		w.lie(x)
	}},
	{atWrite, 2, "the results are swallowed", func(w *simProcess, x *simMoment) {
		x.frames, x.honest = nil, 0
		w.lie(x)
	}},
	{atWrite, 2, "its socket is another's from the middle of the results on", func(w *simProcess, x *simMoment) {
		n := x.dice.IntN(len(x.frames))
		x.frames, x.honest = x.frames[:n], n
		w.lie(x)
		w.mu.Lock()
		w.swallows = true
		w.mu.Unlock()
	}},
	{atWrite, 1, "each result twice", func(w *simProcess, x *simMoment) {
		x.frames = append(x.frames, x.frames...)
		w.lie(x)
	}},
	{atWrite, 1, "the result of a foreign task", func(w *simProcess, x *simMoment) {
		x.frames = wire.AppendFrame(x.frames, &wire.Frame{Kind: wire.FrameValue, ID: 1 << 40, Seq: 7})
		w.lie(x)
	}},
	{atWrite, 1, "a frame no worker sends", func(w *simProcess, x *simMoment) {
		x.frames = wire.AppendFrame(x.frames, &wire.Frame{Kind: wire.FrameHello})
		w.lie(x)
	}},

	{atExit, 3, "SIGKILL when asked to stop", killed},
	{atExit, 2, "deaf when asked to stop", func(w *simProcess, _ *simMoment) { w.sleep(w.never()) }},
	{atExit, 1, "exit 3 when asked to stop", exits(3)},

	{outside, 12, "SIGKILL", killed},
	{outside, 4, "SIGTERM", func(w *simProcess, _ *simMoment) { w.terminate() }},
	{outside, 3, "SIGSTOP", paused},
	{outside, 3, "SIGSTOP and SIGCONT", func(w *simProcess, x *simMoment) {
		w.pause()
		w.later(x.dice.span(time.Millisecond, 40*time.Millisecond), w.resume)
	}},
	{outside, 1, "SIGSTOP, then SIGKILL", func(w *simProcess, x *simMoment) {
		w.pause()
		w.later(x.dice.span(time.Millisecond, 40*time.Millisecond), func() { killed(w, x) })
	}},
	{outside, 1, "out of memory", func(w *simProcess, _ *simMoment) { w.runOutOfMemory() }},
	{outside, 1, "the socket ends and the process does not", func(w *simProcess, _ *simMoment) { w.hangUpOnParent() }},
}

func killed(w *simProcess, _ *simMoment) { w.die(process.Status{Code: -1, Signal: syscall.SIGKILL}) }
func paused(w *simProcess, _ *simMoment) { w.pause() }

func exits(code int) func(*simProcess, *simMoment) {
	return func(w *simProcess, _ *simMoment) { w.die(process.Status{Code: code}) }
}

// midway ends the worker somewhere in the time its handler takes.
func midway(how process.Status) func(*simProcess, *simMoment) {
	return func(w *simProcess, x *simMoment) {
		w.later(time.Duration(x.dice.Float64()*float64(x.wait))+1, func() { w.die(how) })
	}
}

// simWeather is how often a fault strikes at each site, and how far apart the strikes from outside are (0: none).
type simWeather struct {
	name    string
	weight  int
	rate    [simSites]float64
	strikes time.Duration
}

var simWeathers = []simWeather{
	{"calm", 10, [simSites]float64{}, 0},
	{"kills at the frames' borders", 25, [simSites]float64{atRead: .08, atExec: .06, atWrite: .1}, 0},
	{"kills from outside", 20, [simSites]float64{}, 8 * time.Millisecond},
	{"bad boots", 15, [simSites]float64{atSpawn: .15, atBoot: .4, atExec: .02}, 30 * time.Millisecond},
	{"bad ends", 10, [simSites]float64{atExec: .05, atExit: .4}, 30 * time.Millisecond},
	{
		"a storm", 20,
		[simSites]float64{atSpawn: .03, atBoot: .08, atRead: .08, atExec: .12, atWrite: .12, atExit: .2},
		5 * time.Millisecond,
	},
}

// guilty is the task that the worker was running when it died; nil when none was.
func (w *simProcess) guilty() *simExec {
	if n := len(w.execs); n > 0 && w.dead && w.execs[n-1].sent.IsZero() {
		return w.execs[n-1]
	}
	return nil
}

// eachExit visits what the pool says of each worker's end, and that worker.
func (s *simulation) eachExit(visit func(*Exit, *simProcess)) {
	for _, e := range s.events {
		if e.Kind != WorkerExited {
			continue
		}
		if w := s.byPID[e.Exit.PID]; w != nil {
			visit(e.Exit, w)
		}
	}
}

// charge is the budget that an exit is charged to; "" is none.
func charge(x *Exit) string {
	switch {
	case x.Kind == KindOOM:
		return "oom"
	case x.Reason == ReasonStall, x.Reason == ReasonProtocol:
		return "crash"
	case x.fromOutside(), x.Reason != ReasonNone && x.Asked:
		return "kill"
	case x.Reason != ReasonNone:
		return ""
	}
	return "crash"
}

// overBudget tells whether a task outlived its budgets, or was given up before they were spent.
func (s *simulation) overBudget(t *simTask) string {
	budgets := s.plan.cfg.withDefaults().Budgets
	limit := map[string]int{"oom": budgets.OOM, "crash": budgets.Crashes, "kill": budgets.Killed}
	count := map[string]int{}
	spent := 0
	for _, e := range t.execs {
		x := e.w.exit
		if x == nil || e.w.guilty() != e || e.w.lied {
			continue
		}
		if kind := charge(x); kind != "" {
			if count[kind]++; count[kind] == limit[kind] {
				spent++
			}
		}
		for kind, n := range count {
			if n > limit[kind] {
				return fmt.Sprintf("charged with %d deaths by %s, the budget is %d", n, kind, limit[kind])
			}
		}
	}
	var lost *WorkerLostError
	if errors.As(t.err, &lost) && t.delivery == AtLeastOnce && spent == 0 && !t.ranOnLiar() {
		return fmt.Sprintf("given up with %v of %v", count, limit)
	}
	if t.known && t.answered() && spent > 0 {
		return fmt.Sprintf("run again with %v of %v", count, limit)
	}
	return ""
}

// ranOnLiar tells whether a worker that ran the task sent what no worker should: who is to blame there is not known.
func (t *simTask) ranOnLiar() bool {
	for _, e := range t.execs {
		if e.w.lied {
			return true
		}
	}
	return false
}

// checkBlame holds the exits that tasks are blamed for against what was running.
func checkBlame(s *simulation, violated func(string, ...any)) {
	s.eachExit(func(x *Exit, w *simProcess) {
		var want uint64
		if e := w.guilty(); e != nil {
			want = e.id
		}
		if x.TaskID != want && !w.lied {
			violated("%v blames task %d, it ran %d", x, x.TaskID, want)
		}
	})
	s.eachTask(func(t *simTask) {
		for _, x := range t.outcome.Exits {
			w, innocent := s.byPID[x.PID], true
			for _, e := range t.execs {
				if e.w == w && (w.guilty() == e || w.lied || t.delivery == AtMostOnce) {
					innocent = false
				}
			}
			if innocent {
				violated("task %d is blamed for %v", t.n, x)
			}
		}
		if t.accepted && t.outcome.Attempts != len(t.execs) {
			violated("task %d was started %d times and says %d", t.n, len(t.execs), t.outcome.Attempts)
		}
	})
}

// unjustified tells why the pool should not have ended this worker; "" when it may.
func (s *simulation) unjustified(x *Exit, w *simProcess) string {
	c := s.plan.cfg.withDefaults()
	ran := len(w.execs)
	switch x.Reason {
	case ReasonNone:
		return when(w.byPool, "the pool killed it without a reason")
	case ReasonStop:
		return when(s.closing.IsZero() && !s.shrunk && !w.termed, "nobody stopped anything")
	case ReasonRecycle:
		ended := w.diedAt
		if w.unreapable { // as far as the pool can tell it lived until then
			ended = w.killedAt
		}
		old := c.MaxAge > 0 && ended.Sub(w.born) >= c.MaxAge
		fat := c.SoftMemory > 0 && Bytes(w.Resident()) > c.SoftMemory
		return when(!old && !fat && (c.MaxTasks == 0 || ran < c.MaxTasks), "it was not due")
	case ReasonRestart:
		return when(!s.restarted, "nobody restarted the pool")
	case ReasonTimeout:
		return when(ran == 0 || s.timeoutOf(w.execs[ran-1].task) == 0, "it ran nothing with a timeout")
	case ReasonCancel:
		return when(ran == 0 || w.execs[ran-1].task.cancel == 0 && !w.execs[ran-1].task.loose,
			"it ran nothing that was cancelled")
	case ReasonStall:
		still := w.stoppedFor(max(c.Heartbeat, keeperTick))
		return when(!w.unreapable && !w.lied && (still == 0 || still < c.Heartbeat/4), "it was not stopped")
	case ReasonProtocol:
		return when(!w.lied && !w.unreapable, "it had sent nothing wrong")
	case ReasonBoot:
		broken := s.plan.broken[1] > 0 || w.confineErr != nil
		return when(!broken && w.killedAt.Sub(w.born) < c.BootTimeout, "it had time left to boot")
	}
	return "an unknown reason"
}

// stoppedFor is how much of so long before the pool killed it the worker was stopped. It may have been continued at the
// moment of the kill, or just before it, and stopped again: the pool goes by what was not answered until then.
func (w *simProcess) stoppedFor(span time.Duration) (total time.Duration) {
	since := w.killedAt.Add(-span)
	for _, stall := range w.stalls {
		from, to := stall[0], stall[1]
		if from.Before(since) {
			from = since
		}
		if to.After(w.killedAt) {
			to = w.killedAt
		}
		total += max(to.Sub(from), 0)
	}
	return total
}

// misreported compares a record with how the process really ended.
func (w *simProcess) misreported(x *Exit) string {
	if x.Code == unknownCode && w.unreapable || w.lied && w.termed { // the goodbye may not have come
		return ""
	}
	if x.Code != w.status.Code || x.Signal != w.status.Signal {
		return fmt.Sprintf("it ended with %d %v", w.status.Code, w.status.Signal)
	}
	if x.Asked && !w.termed && !w.lied {
		return "nobody asked it to end"
	}
	var want Kind
	switch {
	case w.oom > 0 && w.status.Signal == syscall.SIGKILL, w.stderr != "" && w.status.Code == 2:
		want = KindOOM
	case w.byPool, x.Kind == KindOurs && !w.killedAt.IsZero() && w.status.Signal == syscall.SIGKILL:
		want = KindOurs // two kills at a time cannot be told apart
	case w.status.Code == 0 && (w.stops || w.termed && !w.pending): // a stopped process has not seen its SIGTERM
		want = KindClean
	case w.status.Signal == syscall.SIGKILL, w.status.Signal == syscall.SIGTERM:
		want = KindKilled
	default:
		want = KindCrashed
	}
	if x.Kind != want {
		return fmt.Sprintf("it is of kind %v", want)
	}
	return when(want == KindKilled && x.Reason != ReasonNone, "it was killed from outside")
}

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
	staged(t, Config{Size: 2, Delivery: AtMostOnce, Backoff: Backoff{Threshold: 2}},
		func(g *WithT, s *simulation, p *Pool) {
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
	for _, how := range []process.Status{
		{Code: 9}, {Code: 0}, {Code: -1, Signal: syscall.SIGSEGV}, {Code: -1, Signal: syscall.SIGKILL},
	} {
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
	cfg := Config{
		Size: 2, Heartbeat: -1, Backoff: Backoff{Threshold: 2, Base: 10 * time.Millisecond},
		Budgets: Budgets{Crashes: 4},
	}
	staged(t, cfg, func(g *WithT, s *simulation, p *Pool) {
		long := s.task(time.Hour, OnSlot(1)) // keeps the pool from being deserted
		events := p.Subscribe(1000)
		s.bootsFail(50 * time.Millisecond)
		poison := s.poison(process.Status{Code: 42}, OnSlot(0))
		_, err := poison.Result(context.Background())
		g.Expect(err).To(BeAssignableToTypeOf(&WorkerLostError{}))
		g.Expect(s.answers(OnSlot(0))).To(Succeed())
		quiesce()
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

// Boots that fail, with the defaults of Backoff: docs/decisions/0030.

func TestBootsThatFailSlowlyFailWhatWaitsForThem(t *testing.T) {
	for _, boot := range []time.Duration{time.Millisecond, 2 * time.Second, 15 * time.Second} {
		staged(t, Config{Size: 2}, func(g *WithT, s *simulation, p *Pool) {
			s.plan.boot = boot
			s.bootsFail(24 * time.Hour)
			for slot := range 2 {
				killed(s.in(slot), nil)
			}
			quiesce()
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
		quiesce()
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
		g.Expect(p.Stats()).
			To(And(HaveField("Ready", 1), HaveField("BreakerOpen", false), HaveField("BootFailures", BeZero())))
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
		_, err := New(context.Background(),
			Config{Size: 2, jitter: s.plan.cfg.jitter, Initializer: s.plan.cfg.Initializer, start: s.startProcess})
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
		g.Expect(p.Stats()).To(And(HaveField("Ready", 1), HaveField("BreakerOpen", false),
			HaveField("BootFailures", BeNumerically(">", 100))))
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

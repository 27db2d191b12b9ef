package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/pool"

	. "github.com/onsi/gomega"
)

// deaths are the ways to die in the middle of a task, and how each must be reported. The Go runtime turns some signals
// into an exit with code 2, so those are also tried with the kernel's own default action.
var deaths = []struct {
	how    string
	code   int
	signal syscall.Signal
	kind   pool.Kind
	tail   string // what the end of stderr must say
}{
	{"exit 0", 0, 0, pool.KindCrashed, ""},
	{"exit 42", 42, 0, pool.KindCrashed, ""},
	{"fatal", 2, 0, pool.KindCrashed, "fatal error: concurrent map"},
	{"goroutine panic", 2, 0, pool.KindCrashed, "panic: not recovered"},
	{"SIGSEGV", 2, 0, pool.KindCrashed, "SIGSEGV: segmentation violation"},
	{"SIGABRT", 2, 0, pool.KindCrashed, "SIGABRT: abort"},
	{"default SIGSEGV", -1, syscall.SIGSEGV, pool.KindCrashed, ""},
	{"default SIGABRT", -1, syscall.SIGABRT, pool.KindCrashed, ""},
	{"SIGTERM", -1, syscall.SIGTERM, pool.KindKilled, ""},
	{"SIGKILL", -1, syscall.SIGKILL, pool.KindKilled, ""},
}

func TestEachWayToDieInTheMiddleOfATaskIsReportedAsWhatItWas(t *testing.T) {
	p := start(t, pool.Config{Size: 2})
	for _, d := range deaths {
		t.Run(d.how, func(t *testing.T) {
			g := NewWithT(t)
			f := die.Submit(bound(t), via(p), d.how, pool.WithDelivery(pool.AtMostOnce))
			_, err := f.Result(bound(t))
			var lost *pool.WorkerLostError
			g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
			g.Expect(lost.Attempts).To(Equal(1))
			g.Expect(lost.Exits).To(HaveLen(1))
			x := lost.Exits[0]
			g.Expect(x.Code).To(Equal(d.code))
			g.Expect(x.Signal).To(Equal(d.signal))
			g.Expect(x.Kind).To(Equal(d.kind))
			g.Expect(x.Reason).To(Equal(pool.ReasonNone), "the pool had no part in it")
			g.Expect(x.Stderr).To(ContainSubstring(d.tail))
			g.Expect(x.Task).To(Equal("die"))
			g.Expect(x.TaskID).To(numbered(f.TaskID()))
			whole(t, p)
		})
	}
}

func TestATaskWhoseWorkerDiedIsRunAgainAndGivesItsValue(t *testing.T) {
	p := start(t, pool.Config{Size: 2})
	for _, d := range deaths {
		t.Run(d.how, func(t *testing.T) {
			g := NewWithT(t)
			f := dieOnce.Submit(bound(t), via(p), d.how)
			g.Expect(f.Result(bound(t))).To(Equal(2), "the second attempt's value")
			g.Expect(f.Outcome().Attempts).To(Equal(2))
			g.Expect(f.Outcome().Exits).To(HaveLen(1))
		})
	}
	whole(t, p)
}

func TestKillOfABusyWorkerAtMostOnceNamesPidAndSignalWithinASecond(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, Delivery: pool.AtMostOnce})
	f := sleep.Submit(bound(t), via(p), time.Minute, pool.OnSlot(1))
	w := inPhase(t, p, 1, pool.PhaseRunning)
	kill(t, w.PID, syscall.SIGKILL)
	g.Eventually(f.Done()).WithTimeout(loaded(time.Second)).Should(BeClosed())
	_, err := f.Result(bound(t))
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits[0].PID).To(Equal(w.PID))
	g.Expect(lost.Exits[0].Signal).To(Equal(syscall.SIGKILL))
	g.Expect(err).To(MatchError(ContainSubstring(fmt.Sprintf("pid=%d exitcode=-SIGKILL", w.PID))))
	whole(t, p)
}

func TestKillOfABusyWorkerRerunsItsTaskAndTouchesNoSibling(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 4})
	before := pids(p)
	gate := closedGate(t)
	var held []*pool.Future[seen]
	for range 4 {
		held = append(held, gated.Submit(bound(t), via(p), gate))
	}
	for slot := range 4 {
		inPhase(t, p, slot, pool.PhaseRunning)
	}
	var queued []*pool.Future[seen]
	for range 100 {
		queued = append(queued, attempt.Submit(bound(t), via(p), 0))
	}
	kill(t, before[2], syscall.SIGKILL)
	g.Eventually(func() int { return pids(p)[2] }).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(before[2])))
	open(t, gate)

	again := 0
	for _, f := range held {
		v, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		if v.Attempt == 2 {
			again++
			g.Expect(f.Outcome().Exits[0].PID).To(Equal(before[2]))
		}
	}
	g.Expect(again).To(Equal(1), "only the killed worker's task was run again")
	for _, f := range queued {
		v, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(v.Attempt).To(Equal(1), "a queued task has nothing to do with the death")
		g.Expect(v.PID).NotTo(Equal(before[2]))
	}
	after := pids(p)
	delete(before, 2)
	for slot, pid := range before {
		g.Expect(after[slot]).To(Equal(pid), "slot %d kept its worker", slot)
	}
}

// crashAhead has the only worker die at the given point, amid so many tiny tasks that the pool sends several ahead.
func crashAhead(t *testing.T, p *pool.Pool, at pool.CrashPoint) (futures []*pool.Future[seen], died int) {
	t.Helper()
	g := NewWithT(t)
	submit := func() {
		for range 1000 {
			futures = append(futures, attempt.Submit(bound(t), via(p), 0))
		}
	}
	killed := p.Stats().Killed
	submit()
	<-futures[200].Done()
	w, err := p.ArmCrashPoint(0, at)
	g.Expect(err).NotTo(HaveOccurred())
	for p.Stats().Killed == killed {
		submit()
		<-futures[len(futures)-500].Done()
	}
	for _, f := range futures {
		g.Eventually(f.Done()).WithTimeout(patience).Should(BeClosed())
	}
	return futures, w.PID
}

func TestTasksSentButNotStartedAreNotBlamedAndRunElsewhere(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Delivery: pool.AtMostOnce})
	futures, _ := crashAhead(t, p, pool.CrashBeforeRead)
	for _, f := range futures {
		v, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred(), "proven not to have started, so at most once allows another worker")
		g.Expect(v.Attempt).To(Equal(1))
		g.Expect(f.Outcome().Exits).To(BeEmpty())
	}
	g.Expect(p.Stats().Requeued).To(BeNumerically(">", 0))
}

func TestOnlyTheTaskThatWasRunningIsBlamed(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for deaths := uint64(1); ; deaths++ {
		futures, died := crashAhead(t, p, pool.CrashAfterRead)
		blamed := 0
		for _, f := range futures {
			_, err := f.Result(bound(t))
			g.Expect(err).NotTo(HaveOccurred())
			for _, x := range f.Outcome().Exits {
				blamed++
				g.Expect(x.PID).To(Equal(died))
				g.Expect(x.TaskID).To(numbered(f.TaskID()))
			}
		}
		g.Expect(blamed).To(Equal(1), "one death, one to blame")
		if p.Stats().Requeued > deaths {
			return // there were bystanders
		}
		if deaths == 20 && broken == 0 {
			// On a busy host a process takes long to die, and what waits behind its task has been taken back by then. A
			// pool that is broken on purpose is not excused by that.
			g.Expect(p.Stats().Revoked).To(BeNumerically(">", 0), "nothing was ever sent ahead")
			return
		}
		g.Expect(deaths).To(BeNumerically("<", 20), "no death had bystanders")
	}
}

func TestAWholeResultThatWasWrittenIsDeliveredAndNotRunAgain(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for range 20 {
		log := filepath.Join(t.TempDir(), "runs")
		_, err := p.ArmCrashPoint(0, pool.CrashAfterWrite)
		g.Expect(err).NotTo(HaveOccurred())
		f := witness.Submit(bound(t), via(p), log)
		g.Expect(f.Result(bound(t))).To(Equal(1))
		g.Expect(f.Outcome().Attempts).To(Equal(1))
		whole(t, p)
		g.Expect(os.ReadFile(log)).To(HaveLen(1), "one byte for each time it ran")
	}
	g.Expect(p.Stats().Killed).To(BeEquivalentTo(20))
}

func TestHalfAResultIsDiscardedAndTheTaskRunAgain(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for range 5 {
		log := filepath.Join(t.TempDir(), "runs")
		_, err := p.ArmCrashPoint(0, pool.CrashMidWrite)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(witness.Call(bound(t), via(p), log)).To(Equal(2))
		whole(t, p)
		g.Expect(os.ReadFile(log)).To(HaveLen(2))
	}
	g.Expect(p.Stats().Rejected).To(BeZero(), "a torn frame is not a protocol error")
}

func TestDeathWhileReceivingAHundredMebibytesUnblocksTheWriter(t *testing.T) {
	long(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	big := make([]byte, fewer(100, 20)<<20)
	big[0], big[len(big)-1] = 7, 9
	for _, stopped := range []bool{true, false} {
		w := pids(p)[0]
		if stopped { // it has read nothing of the task when it dies
			kill(t, w, syscall.SIGSTOP)
		}
		result := make(chan *pool.Future[[]byte], 1)
		go func() { result <- echo.Submit(t.Context(), via(p), big) }()
		g.Eventually(func() int { return p.Stats().InFlight }).WithTimeout(patience).WithPolling(time.Millisecond).
			Should(Equal(1))
		kill(t, w, syscall.SIGKILL)
		var f *pool.Future[[]byte]
		g.Eventually(result).WithTimeout(patience).Should(Receive(&f))
		got, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got).To(HaveLen(len(big)))
		g.Expect([]byte{got[0], got[len(got)-1]}).To(Equal([]byte{7, 9}))
	}
	g.Expect(p.Stats().Killed).To(BeEquivalentTo(2))
}

func TestATaskThatAlwaysKillsItsWorkerSpendsItsBudgetAndOthersComplete(t *testing.T) {
	for how, budget := range map[string]int{"exit 42": 3, "SIGKILL": 16} {
		t.Run(how, func(t *testing.T) {
			g, p := NewWithT(t), start(t, pool.Config{Size: 2})
			poison := die.Submit(bound(t), via(p), how)
			for i := range 200 {
				g.Expect(square.Call(bound(t), via(p), i)).To(Equal(i * i))
			}
			_, err := poison.Result(bound(t))
			var lost *pool.WorkerLostError
			g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
			g.Expect(lost.Exits).To(HaveLen(budget))
			g.Expect(lost.Attempts).To(Equal(budget))
			workers := map[string]bool{}
			for _, x := range lost.Exits {
				workers[x.Worker] = true
			}
			g.Expect(workers).To(HaveLen(budget), "another worker each time")
			whole(t, p)
		})
	}
}

func TestBudgetsOfOneEndATaskAtItsFirstDeath(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Budgets: pool.Budgets{Crashes: 1, Killed: 1}})
	for _, how := range []string{"exit 42", "SIGKILL"} {
		_, err := dieOnce.Call(bound(t), via(p), how)
		var lost *pool.WorkerLostError
		g.Expect(errors.As(err, &lost)).To(BeTrue(), "%s: %v", how, err)
		g.Expect(lost.Exits).To(HaveLen(1))
	}
	whole(t, p)
}

func TestADeadWorkerNeverReceivesATask(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 3, Delivery: pool.AtMostOnce})
	dead := map[int]bool{}
	for range 20 {
		for _, pid := range pids(p) {
			kill(t, pid, syscall.SIGKILL)
			dead[pid] = true
		}
		// The pool learns of the deaths while these are submitted: what it sends to the dead has not started there.
		var futures []*pool.Future[seen]
		for range 20 {
			futures = append(futures, attempt.Submit(bound(t), via(p), 0))
		}
		for _, f := range futures {
			v, err := f.Result(bound(t))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(v.Attempt).To(Equal(1))
			g.Expect(dead).NotTo(HaveKey(v.PID))
		}
		whole(t, p)
	}
}

func TestFiveHundredKillsLeaveNoZombieAndFlatFilesAndGoroutines(t *testing.T) {
	long(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 4})
	whole(t, p)
	files, goroutines := resources()
	enough := fewer(500, 80)
	for kills := 0; kills < enough; {
		before := pids(p)
		for _, pid := range before {
			kill(t, pid, syscall.SIGKILL)
			kills++
		}
		g.Eventually(func() bool {
			now := pids(p)
			for slot, pid := range now {
				if before[slot] == pid {
					return false
				}
			}
			return len(now) == 4
		}).WithTimeout(patience).WithPolling(time.Millisecond).Should(BeTrue())
	}
	whole(t, p)
	g.Expect(zombies()).To(BeEmpty())
	g.Eventually(func() int { n, _ := resources(); return n }).WithTimeout(patience).
		Should(BeNumerically("<=", files+2))
	g.Eventually(func() int { _, n := resources(); return n }).WithTimeout(patience).
		Should(BeNumerically("<=", goroutines+4))
	g.Expect(p.Stats().Killed).To(BeNumerically(">=", enough))
	g.Expect(p.Stats().BootFailures).To(BeZero(), "kills from outside are no failures to come up")
}

// heedless has SIGTERM sent to its worker and does not return for it.
var heedless = pool.Register("heedless", func(_ context.Context, d time.Duration) (int, error) {
	_ = killPID(os.Getpid(), syscall.SIGTERM)
	<-time.After(d)
	return 0, nil
})

func TestATaskThatOutstaysTheGraceOfEachSIGTERMSpendsTheBudgetOfKills(t *testing.T) {
	g, p := NewWithT(t),
		start(t, pool.Config{Size: 1, StopGrace: 20 * time.Millisecond, Budgets: pool.Budgets{Killed: 3}})
	_, err := heedless.Call(bound(t), via(p), time.Minute)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(3))
	for _, x := range lost.Exits {
		g.Expect(x.Kind).To(Equal(pool.KindOurs))
		g.Expect(x.Reason).To(Equal(pool.ReasonStop))
		g.Expect(x.Asked).To(BeTrue())
		g.Expect(x.String()).To(HaveSuffix("exitcode=-SIGKILL by the pool: stop after SIGTERM from outside"))
	}
	whole(t, p)
}

func TestABudgetOfManyKillsIsNotSpentByFewer(t *testing.T) {
	g := NewWithT(t)
	cfg, workers := pool.InProcess(pool.Config{Size: 1, Budgets: pool.Budgets{Killed: 150}})
	p := start(t, cfg)
	f := obeys.Submit(bound(t), via(p), 120)
	for last := 0; ; {
		w := p.Workers()
		if len(w) == 1 && w[0].State == pool.Ready && w[0].Phase == pool.PhaseRunning && w[0].PID != last &&
			w[0].Generation <= 120 {
			last = w[0].PID
			g.Expect(workers.Kill(last, syscall.SIGKILL)).To(Succeed())
		}
		select {
		case <-f.Done():
			g.Expect(f.Result(bound(t))).To(Equal(121))
			return
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// leave ends the goroutine that it runs in, if it is told to, as t.FailNow does.
var leave = pool.Register("leave", func(_ context.Context, now bool) (int, error) {
	if now {
		runtime.Goexit()
	}
	return 1, nil
})

func TestAHandlerThatEndsItsGoroutineEndsItsTaskAlone(t *testing.T) {
	inProcess, _ := pool.InProcess(pool.Config{Size: 1, Delivery: pool.AtMostOnce})
	for _, cfg := range []pool.Config{{Size: 1, Delivery: pool.AtMostOnce}, inProcess} {
		g, p := NewWithT(t), start(t, cfg)
		before := p.Workers()[0].PID
		var tasks []*pool.Future[int]
		for n := range 300 { // several at a time, for the batch to go on
			tasks = append(tasks, leave.Submit(bound(t), p, n%3 == 1))
		}
		for n, f := range tasks {
			v, err := f.Result(bound(t))
			if n%3 == 1 {
				g.Expect(err).
					To(MatchError(ContainSubstring(`task "leave" panicked: the handler called runtime.Goexit`)))
				continue
			}
			g.Expect(v, err).To(Equal(1))
		}
		g.Expect(p.Workers()[0].PID).To(Equal(before))
		g.Expect(p.Close()).To(Succeed())
	}
}

var quitAtBoot = pool.RegisterInit("quit-at-boot", func(context.Context, int) error { runtime.Goexit(); return nil })

func TestAnInitializerThatEndsItsGoroutineFailsTheBootAtOnce(t *testing.T) {
	inProcess, _ := pool.InProcess(pool.Config{})
	for _, cfg := range []pool.Config{{}, inProcess} {
		g := NewWithT(t)
		cfg.Size, cfg.Initializer, cfg.BootTimeout = 1, quitAtBoot.With(0), time.Hour
		cfg.Backoff = pool.Backoff{Base: time.Millisecond, Threshold: 2}
		_, err := pool.New(bound(t), cfg)
		g.Expect(err).To(MatchError(pool.ErrCrashLoop))
		g.Expect(err).To(MatchError(ContainSubstring(`initializer "quit-at-boot" called runtime.Goexit`)))
	}
}

package pool_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

func TestATaskTimeoutKillsOnlyThatWorker(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 3, TaskTimeout: 300 * time.Millisecond})
	before := pids(p)
	f := stubborn.Submit(bound(t), via(p), time.Minute, pool.OnSlot(1))
	_, err := f.Result(bound(t))
	var late *pool.TimeoutError
	g.Expect(errors.As(err, &late)).To(BeTrue(), "%v", err)
	g.Expect(late.Timeout).To(Equal(300 * time.Millisecond))
	g.Expect(late.Exit.PID).To(Equal(before[1]))
	g.Expect(late.Exit.Reason).To(Equal(pool.ReasonTimeout))
	g.Expect(late.Exit.Kind).To(Equal(pool.KindOurs))
	g.Expect(f.Outcome().Attempts).To(Equal(1), "a timeout is no reason to run it again")
	whole(t, p)
	after := pids(p)
	g.Expect(after[1]).NotTo(Equal(before[1]))
	g.Expect(after[0]).To(Equal(before[0]))
	g.Expect(after[2]).To(Equal(before[2]))
}

func TestATaskTimeoutDoesNotCountTheWaitInTheQueueAndYieldsToTheTasksOwn(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	limit := loaded(200 * time.Millisecond)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, TaskTimeout: limit})
	long := sleep.Submit(bound(t), via(p), limit+limit/5, pool.WithTimeout(time.Minute))
	var behind []*pool.Future[int]
	for n := range 8 {
		behind = append(behind, square.Submit(bound(t), via(p), n))
	}
	for n, f := range behind {
		g.Expect(f.Result(bound(t))).To(Equal(n * n))
	}
	_, err := long.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = sleep.Call(bound(t), via(p), time.Minute, pool.WithTimeout(50*time.Millisecond))
	g.Expect(err).To(BeAssignableToTypeOf(&pool.TimeoutError{}))
}

func TestAStoppedWorkerIsDetectedWithinTheHeartbeatsBoundAndReplaced(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	heartbeat := 500 * time.Millisecond
	for _, busy := range []bool{true, false} {
		g, p := NewWithT(t), start(t, pool.Config{Size: 2, Heartbeat: heartbeat})
		before := pids(p)
		gate := closedGate(t)
		f := gated.Submit(bound(t), via(p), gate, pool.OnSlot(0))
		if !busy {
			open(t, gate)
			g.Eventually(f.Done()).WithTimeout(patience).Should(BeClosed())
		} else {
			inPhase(t, p, 0, pool.PhaseRunning)
		}
		kill(t, before[0], syscall.SIGSTOP)
		stopped := time.Now()
		g.Eventually(func() int { return pids(p)[0] }).WithTimeout(patience).WithPolling(time.Millisecond).
			ShouldNot(Or(BeZero(), Equal(before[0])))
		g.Expect(time.Since(stopped)).To(And(BeNumerically(">", heartbeat/2), BeNumerically("<", loaded(2*heartbeat))))
		x := p.Workers()[0].LastExit
		g.Expect(x.Reason).To(Equal(pool.ReasonStall))
		g.Expect(x.PID).To(Equal(before[0]))
		if busy {
			open(t, gate)
			v, err := f.Result(bound(t))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(v.Attempt).To(Equal(2))
			g.Expect(f.Outcome().Exits).To(HaveLen(1), "a stall spends the crash budget")
		}
		g.Expect(pids(p)[1]).To(Equal(before[1]))
		whole(t, p)
	}
}

// The keeper looks often at those that have tasks, and at the others when something is due.
func TestAnIdleWorkerThatIsStoppedIsDetectedWhileAnotherWorks(t *testing.T) {
	takes.Seconds(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, Heartbeat: 500 * time.Millisecond, TaskTimeout: patience})
	before, gate := pids(p), closedGate(t)
	f := gated.Submit(bound(t), via(p), gate, pool.OnSlot(1))
	inPhase(t, p, 1, pool.PhaseRunning)
	kill(t, before[0], syscall.SIGSTOP)
	g.Eventually(func() int { return pids(p)[0] }).WithTimeout(patience / 2).ShouldNot(Or(BeZero(), Equal(before[0])))
	g.Expect(p.Workers()[0].LastExit.Reason).To(Equal(pool.ReasonStall))
	open(t, gate)
	_, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	whole(t, p)
}

func TestAShortPauseCostsNothing(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: time.Minute})
	before, gate := pids(p), closedGate(t)
	f := gated.Submit(bound(t), via(p), gate)
	inPhase(t, p, 0, pool.PhaseRunning)
	kill(t, before[0], syscall.SIGSTOP)
	g.Eventually(func() string { return procStateOf(before[0]) }).WithTimeout(patience).Should(Equal("T"))
	kill(t, before[0], syscall.SIGCONT)
	open(t, gate)
	v, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.Attempt).To(Equal(1))
	g.Expect(pids(p)).To(Equal(before))
}

func TestATaskThatAlwaysStallsSpendsTheCrashBudget(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g, p := NewWithT(t),
		start(t, pool.Config{Size: 1, Heartbeat: 200 * time.Millisecond, Budgets: pool.Budgets{Crashes: 2}})
	_, err := die.Call(bound(t), via(p), "stop")
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits).To(HaveLen(2))
	g.Expect(lost.Exits[1].Reason).To(Equal(pool.ReasonStall))
	g.Expect(lost.Exits[1].Stopped).To(Equal(syscall.SIGSTOP))
	g.Expect(err).To(MatchError(ContainSubstring("by the pool: stall, stopped by SIGSTOP")))
	whole(t, p)
}

func TestSIGTERMFromOutsideFinishesTheRunningTaskAndLosesNothing(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Delivery: pool.AtMostOnce})
	events := p.Subscribe(1000)
	for range 5 {
		gate, pid := closedGate(t), pids(p)[0]
		running := gated.Submit(bound(t), via(p), gate)
		inPhase(t, p, 0, pool.PhaseRunning)
		waiting := attempt.Submit(bound(t), via(p), 0)
		kill(t, pid, syscall.SIGTERM)
		next(t, events, pool.WorkerRetiring)
		open(t, gate)
		v, err := running.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(v.PID).To(Equal(pid), "it finished where it ran")
		e, _ := next(t, events, pool.WorkerExited)
		g.Expect(e.Exit.Code).To(Equal(0))
		g.Expect(e.Exit.Kind).To(Equal(pool.KindClean))
		w, err := waiting.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(w.Attempt).To(Equal(1))
		g.Expect(w.PID).NotTo(Equal(pid))
		whole(t, p)
	}
	g.Expect(p.Stats().Crashed + p.Stats().Killed + p.Stats().Lost).To(BeZero())
}

func TestSIGTERMBeyondTheGraceIsSIGKILLAndSpendsTheBudgetOfKillsOnly(t *testing.T) {
	beside(t)
	g, p := NewWithT(t),
		start(t, pool.Config{Size: 1, StopGrace: 100 * time.Millisecond, Budgets: pool.Budgets{Killed: 2, Crashes: 1}})
	gate, pid := closedGate(t), pids(p)[0]
	f := gated.Submit(bound(t), via(p), gate)
	inPhase(t, p, 0, pool.PhaseRunning)
	kill(t, pid, syscall.SIGTERM)
	g.Eventually(func() int { return pids(p)[0] }).WithTimeout(patience).ShouldNot(Or(BeZero(), Equal(pid)))
	g.Expect(p.Workers()[0].LastExit.Signal).To(Equal(syscall.SIGKILL))
	g.Expect(p.Workers()[0].LastExit.Reason).To(Equal(pool.ReasonStop))
	open(t, gate)
	v, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(v.Attempt).To(Equal(2))
	g.Expect(f.Outcome().Exits).To(ConsistOf(HaveField("PID", pid)))
}

func TestAWorkerThatIgnoresSIGTERMAndHangsIsStoppedByCloseInTime(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, CloseTimeout: 200 * time.Millisecond})
	f := die.Submit(bound(t), via(p), "ignore SIGTERM")
	w := inPhase(t, p, busySlot(p), pool.PhaseRunning)
	kill(t, w.PID, syscall.SIGTERM)
	began := time.Now()
	g.Expect(p.Close()).To(MatchError(pool.ErrClosed))
	g.Expect(time.Since(began)).To(BeNumerically("<", loaded(time.Second)))
	_, err := f.Result(bound(t))
	g.Expect(err).To(MatchError(pool.ErrClosed))
	g.Expect(isAlive(w.PID)).To(BeFalse())
}

// busySlot is the slot that has a task.
func busySlot(p *pool.Pool) int {
	for _, w := range p.Workers() {
		if w.InFlight > 0 {
			return w.Slot
		}
	}
	return 0
}

func TestAWorkerThatClosesItsSocketAndLingersIsReplaced(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	f := dieOnce.Submit(bound(t), via(p), "hang up")
	g.Expect(f.Result(bound(t))).To(Equal(2))
	g.Expect(f.Outcome().Exits[0].Reason).To(Equal(pool.ReasonProtocol))
	whole(t, p)
}

// The frames of calls that were given up fill the socket of a worker that does not read.
func TestACallWithALargeArgumentReturnsWhenItsContextEnds(t *testing.T) {
	long(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: -1})
	pid := pids(p)[0]
	kill(t, pid, syscall.SIGSTOP)
	defer kill(t, pid, syscall.SIGCONT)
	large := make([]byte, 64<<10)
	for range 400 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		done := make(chan struct{})
		go func() { defer close(done); _, _ = echo.Call(ctx, via(p), large) }()
		g.Eventually(done).WithTimeout(patience).Should(BeClosed())
		cancel()
	}
}

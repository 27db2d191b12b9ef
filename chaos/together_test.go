package chaos_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

// tardy answers the tasks that come after the faults a little late, as many as there are members.
type tardy struct {
	*own.Started
	verifying atomic.Bool
	late      atomic.Int32
}

func (l *tardy) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	s := l.Started.Do(ctx, task)
	if l.verifying.Load() && l.late.Add(1) <= 2 {
		// within five times what a member took before, which a busy host may have made so long
		_ = wait.For(ctx, history.Slow(0)+time.Millisecond)
	}
	return s
}

// A member that was late once is asked again: the judge may take off the limit what a busy host took before the faults.
func TestWhoWasALittleSlowAtTheEndIsAskedAgain(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := &tardy{Started: start(t, pool.Config{Size: 2})}
	var rec tape
	var answers atomic.Int32
	run := chaos.Run{
		Target: p, Open: rec.open, Witness: p.Witness(), Close: p.Close, Settle: 5 * time.Second, Steady: 1,
		Chaos: []chaos.Nemesis{once(faults.Signal{Name: "KILL"})},
	}
	run.Progress = func(e history.Event) {
		if e.Stage != nil && e.Stage.Name == "verify" {
			p.verifying.Store(true)
		}
		if p.verifying.Load() && e.Probe != nil && e.Probe.Slot == history.AnySlot && e.Probe.Op == history.Answered {
			answers.Add(1)
		}
	}
	g.Expect(run.Do(t.Context())).To(Succeed())
	g.Expect(answers.Load()).To(BeNumerically(">=", 4), "of two members, late ones and others")
}

// packing runs two tasks at a time in each member, and none in the next while there is room in the one before.
type packing struct {
	*procs
	mu      sync.Mutex
	room    sync.Cond
	running []int
}

func (p *packing) Describe() history.Target {
	what := p.procs.Describe()
	what.Places = 2
	return what
}
func (p *packing) Unwitnessed() bool { return true }

func (p *packing) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	p.mu.Lock()
	free := func() int { return slices.IndexFunc(p.running, func(n int) bool { return n < 2 }) }
	for free() < 0 {
		p.room.Wait()
	}
	at := free()
	p.running[at]++
	p.mu.Unlock()
	err := wait.For(ctx, task.Args["duration"].(time.Duration))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running[at]--
	p.room.Signal()
	if err != nil {
		return chaos.Settled{Outcome: history.Hung}
	}
	return chaos.Settled{Outcome: history.OK, PID: p.list[at].PID}
}

// Members that run several tasks at a time are asked with as many as they can run: fewer need not reach all of them.
func TestMembersThatRunSeveralTasksAreAllAskedAtOnce(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p := &packing{procs: sleepers(t, 3), running: make([]int, 3)}
	p.room.L = &p.mu
	var rec tape
	run := chaos.Run{
		Target: p, Open: rec.open, Settle: 5 * time.Second, Steady: 1,
		Load:  &chaos.Load{Task: "sleep", Concurrency: 1, Count: 1, Args: map[string]any{"duration": time.Millisecond}},
		Chaos: []chaos.Nemesis{once(faults.Signal{Name: "CONT"})},
	}
	_ = run.Do(t.Context())
	var ran []history.Run
	queued := map[time.Duration]int{} // by when they were answered first: a queue is sent when the one before is done
	var last time.Duration
	for _, e := range rec.events {
		if e.Probe != nil && e.Probe.Slot == history.InQueue {
			if e.Probe.Op == history.Sent {
				queued[last]++
			} else {
				last = e.T
			}
		}
		if e.Probe != nil && e.Probe.Slot == history.AnySlot && e.Probe.Op == history.Answered {
			ran = append(ran, history.Run{Task: e.Probe.Task, PID: e.Probe.PID, Start: e.T - e.Probe.Hold, End: e.T})
		}
	}
	g.Expect(history.Together(ran)).To(Equal(3))
	g.Expect(queued).NotTo(BeEmpty())
	g.Expect(queued).To(HaveEach(history.Depth * 6))
}

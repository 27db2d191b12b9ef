package chaos_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
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
		_ = wait.For(ctx, history.Slow(0)+time.Millisecond) // within five times what a member took before, which a busy host may have made so long
	}
	return s
}

// A member that was late once is asked again: the judge may take off the limit what a busy host took before the faults.
func TestWhoWasALittleSlowAtTheEndIsAskedAgain(t *testing.T) {
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

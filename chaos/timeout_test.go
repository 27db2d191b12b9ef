package chaos_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
)

// runners is sleepers with tasks, which the test's own function does.
type runners struct {
	*procs
	do func(context.Context) history.Outcome
}

func (r runners) Do(ctx context.Context, _ chaos.Task) chaos.Settled {
	return chaos.Settled{Outcome: r.do(ctx)}
}

// A run that takes too long gives what is in flight time to end. What stands still hangs; what only is not over yet is
// given up after the alarm, and so is no task that hung.
func TestTimeoutTellsHungTasksFromSlowOnes(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	var one sync.Mutex
	for name, c := range map[string]struct {
		do   func(context.Context) history.Outcome
		hung bool
	}{
		"hung": {func(ctx context.Context) history.Outcome { <-ctx.Done(); return history.Hung }, true},
		"slow": {func(ctx context.Context) history.Outcome {
			one.Lock()
			defer one.Unlock()
			select {
			case <-time.After(20 * time.Millisecond):
				return history.OK
			case <-ctx.Done():
				return history.Hung
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			var rec tape
			run := chaos.Run{
				Target: runners{sleepers(t, 1), c.do}, Open: rec.open, Load: &chaos.Load{Task: "any", Rate: 1000},
				Steady: time.Hour, Settle: 500 * time.Millisecond, Timeout: time.Second,
			}
			g.Expect(run.Do(t.Context())).To(MatchError(chaos.ErrTimeout))
			g.Expect(rec.abort).To(BeTrue())
			alarm := slices.IndexFunc(rec.events, func(e history.Event) bool { return e.Alarm != nil })
			g.Expect(alarm).To(BeNumerically(">", 0))
			g.Expect(*rec.events[alarm].Alarm).
				To(Equal(history.Alarm{Kind: history.AlarmTimeout, Text: "its timeout of 1s is over"}))
			given := slices.IndexFunc(rec.events,
				func(e history.Event) bool { return e.Task != nil && e.Task.Outcome == history.Hung })
			g.Expect(given).To(BeNumerically(">", 0))
			g.Expect(given < alarm).To(Equal(c.hung))
		})
	}
}

// Whoever interrupts a run does not wait for the time that its tasks are given after its timeout.
func TestAnInterruptionIsHeardAfterTheTimeout(t *testing.T) {
	long(t)
	t.Parallel()
	g := NewWithT(t)
	var rec tape
	ctx, interrupt := context.WithCancel(t.Context())
	run := chaos.Run{
		Target: runners{
			sleepers(t, 1), func(ctx context.Context) history.Outcome { <-ctx.Done(); return history.Hung },
		},
		Open: rec.open, Load: &chaos.Load{Task: "any", Concurrency: 1},
		Steady: time.Hour, Settle: time.Hour, Timeout: 300 * time.Millisecond,
		Progress: func(e history.Event) {
			if e.Task != nil && e.Task.Op == history.Submitted {
				time.AfterFunc(time.Second, interrupt)
			}
		},
	}
	done := make(chan error, 1)
	go func() { done <- run.Do(ctx) }()
	g.Eventually(done).WithTimeout(20 * time.Second).Should(Receive(MatchError(chaos.ErrTimeout)))
}

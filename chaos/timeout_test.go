package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// runners is sleepers with tasks, which the test's own function does.
type runners struct {
	*procs
	do func(context.Context) history.Outcome
}

func (r runners) Do(ctx context.Context, _ chaos.Task) chaos.Settled {
	return chaos.Settled{Outcome: r.do(ctx)}
}

// A run that takes too long gives what is in flight time to end. What stands still hangs; what only is not over yet is given
// up after the alarm, and so is no task that hung.
func TestTimeoutTellsHungTasksFromSlowOnes(t *testing.T) {
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
				Steady: time.Hour, Settle: 500 * time.Millisecond,
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, fmt.Errorf("%w: its timeout of 1s is over", chaos.ErrTimeout))
			defer cancel()
			g.Expect(run.Do(ctx)).To(MatchError(chaos.ErrTimeout))
			g.Expect(rec.abort).To(BeTrue())
			alarm := slices.IndexFunc(rec.events, func(e history.Event) bool { return e.Alarm != nil })
			g.Expect(alarm).To(BeNumerically(">", 0))
			g.Expect(*rec.events[alarm].Alarm).To(Equal(history.Alarm{Kind: "timeout", Text: "chaos: the run took too long: its timeout of 1s is over"}))
			given := slices.IndexFunc(rec.events, func(e history.Event) bool { return e.Task != nil && e.Task.Outcome == history.Hung })
			g.Expect(given).To(BeNumerically(">", 0))
			g.Expect(given < alarm).To(Equal(c.hung))
		})
	}
}

package chaos_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
)

// The first condition that holds ends the run, and is what the alarm names.
func TestAnAbortConditionEndsTheRun(t *testing.T) {
	long(t)
	t.Parallel()
	for name, trips := range map[string]bool{"it holds": true, "never": false} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			var rec tape
			run := chaos.Run{
				Target: sleepers(t, 1), Open: rec.open, Steady: 200 * time.Millisecond, Settle: time.Nanosecond,
				Sample: time.Millisecond,
				Abort: []chaos.Abort{
					{Rule: "pool.ready < 0", Tripped: func(history.Event) bool { return false }},
					{Rule: "pool.ready < 1", Tripped: func(e history.Event) bool { return trips && e.Sample != nil }},
				},
			}
			err := run.Do(t.Context())
			alarms := []history.Alarm{}
			for _, e := range rec.events {
				if e.Alarm != nil {
					alarms = append(alarms, *e.Alarm)
				}
			}
			if !trips {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(alarms).To(BeEmpty())
				return
			}
			g.Expect(err).To(MatchError(chaos.ErrAborted))
			g.Expect(err).To(MatchError(ContainSubstring("pool.ready < 1")))
			g.Expect(alarms).To(Equal([]history.Alarm{{Kind: history.AlarmAbort, Rule: "pool.ready < 1"}}))
			g.Expect(rec.abort).To(BeTrue())
		})
	}
}

// A history that cannot be written ends the run: what cannot be judged need not go on.
func TestUnwritableHistoryEndsTheRun(t *testing.T) {
	g := NewWithT(t)
	rec := &full{}
	run := chaos.Run{Target: sleepers(t, 1), Open: rec.open, Steady: time.Hour}
	g.Expect(run.Do(t.Context())).To(MatchError(ContainSubstring("the history cannot be written: no space")))
}

// full is a history on a disk without room.
type full struct{ tape }

func (f *full) open(h history.Header) (chaos.Recorder, error) {
	f.header = h
	return f, nil
}

func (f *full) Append(e history.Event) error {
	if e.Stage != nil && e.Stage.Name == history.Steady {
		return errNoSpace
	}
	return f.tape.Append(e)
}

// A run with mistakes in it says all of them, and does nothing.
func TestMistakesAreNamed(t *testing.T) {
	g := NewWithT(t)
	run := chaos.Run{
		Chaos: []chaos.Nemesis{once(faults.Signal{Name: "NOPE"}), {}}, Load: &chaos.Load{Concurrency: 1, Rate: 1},
	}
	g.Expect(run.Do(t.Context())).To(MatchError(And(
		ContainSubstring("Run.Target is missing"), ContainSubstring("Run.Open is missing"),
		ContainSubstring(`unknown signal "NOPE"`), ContainSubstring("a nemesis without a fault"),
		ContainSubstring("2 of Concurrency, Rate and Map"))))
	run = chaos.Run{Target: sleepers(t, 1), Open: (&tape{}).open, Load: &chaos.Load{Concurrency: 1}}
	g.Expect(run.Do(t.Context())).To(MatchError(ContainSubstring("the procs target cannot run tasks")))
}

// Tasks that are in flight when somebody interrupts a run are given up after the history says so: they do not hang.
func TestAnInterruptedRunLeavesNothingHung(t *testing.T) {
	takes.Seconds(t)
	for range 20 {
		g := NewWithT(t)
		var rec tape
		ctx, interrupt := context.WithCancel(t.Context())
		run := chaos.Run{
			Target: endless{sleepers(t, 1), sync.OnceFunc(interrupt)}, Open: rec.open, Warmup: time.Hour,
			Load: &chaos.Load{Task: "sleep", Concurrency: 16},
		}
		g.Expect(run.Do(ctx)).To(MatchError(chaos.ErrInterrupted))
		told := slices.IndexFunc(rec.events, func(e history.Event) bool { return e.Alarm != nil })
		g.Expect(told).To(BeNumerically(">", 0))
		for _, e := range rec.events[:told] {
			g.Expect(e.Task == nil || e.Task.Op == history.Submitted).To(BeTrue(),
				"%+v is before the interruption", e.Task)
		}
	}
}

// endless is a target whose tasks end when they are given up. It calls in at the sixteenth.
type endless struct {
	chaos.Target
	in func()
}

func (e endless) Do(ctx context.Context, task chaos.Task) chaos.Settled {
	if task.ID == 16 {
		e.in()
	}
	<-ctx.Done()
	return chaos.Settled{Outcome: history.Hung, Err: ctx.Err().Error()}
}

package chaos_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
)

// Tasks that fail because nobody can witness them say nothing about the target: the run ends at once, as the harness's
// trouble.
func TestARunWhoseTasksCannotBeWitnessedIsTheHarnesssTrouble(t *testing.T) {
	g := NewWithT(t)
	var rec tape
	run := chaos.Run{
		Target:  runners{sleepers(t, 1), func(context.Context) history.Outcome { return history.Failed }},
		Open:    rec.open,
		Witness: filepath.Join(t.TempDir(), "removed", "witness"),
		Load:    &chaos.Load{Task: "any", Concurrency: 2}, Steady: time.Hour,
	}
	err := run.Do(t.Context())
	g.Expect(err).To(MatchError(os.ErrNotExist))
	g.Expect(err).To(MatchError(HavePrefix("the tasks cannot be witnessed: witness: open ")))
	g.Expect(rec.count(func(e history.Event) bool { return e.Alarm != nil && e.Alarm.Kind == history.AlarmError })).
		To(Equal(1))
	g.Expect(rec.abort).To(BeTrue())
}

// Nor is it the harness's trouble that tasks fail while it has all that it needs.
func TestTasksThatFailAreTheTargetsWhereTheWitnessCanBeWritten(t *testing.T) {
	long(t)
	g := NewWithT(t)
	witness := filepath.Join(t.TempDir(), "witness")
	for range 2 { // without the file, which the first execution makes, and with it
		var rec tape
		run := chaos.Run{
			Target: runners{sleepers(t, 1), func(context.Context) history.Outcome { return history.Failed }},
			Open:   rec.open, Witness: witness, Load: &chaos.Load{Task: "any", Concurrency: 2, Count: 10},
			Steady: time.Millisecond,
		}
		g.Expect(run.Do(t.Context())).To(Succeed())
		g.Expect(rec.outcomes()).To(Equal(map[history.Outcome]int{history.Failed: 10}))
		g.Expect(rec.count(func(e history.Event) bool { return e.Alarm != nil || e.Note != nil || e.Run != nil })).
			To(BeZero())
		g.Expect(os.WriteFile(witness, nil, 0o600)).To(Succeed())
	}
}

// Tasks that fail when this process can open nothing more say nothing about the target either.
func TestARunAtTheLimitOfDescriptorsIsTheHarnesssTrouble(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	var before unix.Rlimit
	g.Expect(unix.Getrlimit(unix.RLIMIT_NOFILE, &before)).To(Succeed())
	restore := func() { g.Expect(unix.Setrlimit(unix.RLIMIT_NOFILE, &before)).To(Succeed()) }
	defer restore()
	var rec tape
	run := chaos.Run{
		Target: runners{sleepers(t, 1), func(context.Context) history.Outcome {
			_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: before.Max})
			return history.Failed
		}},
		Open: rec.open, Load: &chaos.Load{Task: "any", Concurrency: 2}, Steady: time.Hour,
	}
	err := run.Do(t.Context())
	restore()
	g.Expect(err).To(MatchError(syscall.EMFILE))
	g.Expect(err).To(MatchError(HavePrefix("this process is at a limit: ")))
	g.Expect(rec.count(func(e history.Event) bool { return e.Alarm != nil && e.Alarm.Kind == history.AlarmError })).
		To(BeNumerically(">=", 1))
	g.Expect(rec.abort).To(BeTrue())
}

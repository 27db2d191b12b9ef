package driver_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// hasty is short only where that driver makes the check wait until it is over, so that a slow host fails nothing.
func hasty(mode string) (limits driver.Timeouts) {
	const short = 2 * time.Second
	switch mode {
	case "never greets", "never reads":
		limits.Hello = short
	case "never ready":
		limits.Ready = short
	case "hides workers":
		limits.Workers = short
	case "hangs", "unknown op", "unknown id", "anonymous error", "own pid":
		limits.Task = short
	case "never stops", "lingers", "ignores the end", "leaves children", "abandons workers":
		limits.Stop = short
	}
	return limits
}

// command is a fake driver that leaves nothing: at the end of the test no process of it is there.
func command(t *testing.T, mode string) driver.Command {
	t.Helper()
	// another run of this test has its own
	mark := fmt.Sprintf("RESPAWN_TEST_MARK=%d/%s/%s", os.Getpid(), t.Name(), mode)
	t.Cleanup(func() {
		var left []int
		all, err := procfs.Snapshot()
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for pid := range all {
			if procfs.Marked(pid, mark) {
				left = append(left, pid)
			}
		}
		NewWithT(t).Expect(left).To(BeEmpty(), "processes of the driver %q are left", mode)
	})
	return driver.Command{Argv: fake(mode), Env: []string{mark}, Timeouts: hasty(mode)}
}

// checked is the outcome of a check.
type checked struct {
	driver.Report
	error
}

// checkAll checks drivers side by side: most of the time they make the check wait. The test's end waits for all.
func checkAll[T any](t *testing.T, what []T, command func(T) driver.Command) (results []chan checked) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	var checks sync.WaitGroup
	places := make(chan struct{}, 12)
	for _, w := range what {
		c := command(w)
		result := make(chan checked, 1)
		results = append(results, result)
		checks.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			r, err := driver.Check(ctx, c)
			result <- checked{r, err}
		})
	}
	t.Cleanup(func() { cancel(); checks.Wait() })
	return results
}

func TestCheckFindsNothingWrongWithADriverThatKeepsTheProtocol(t *testing.T) {
	takes.Seconds(t)
	modes := []string{"good", "least"}
	for _, result := range checkAll(t, modes, func(mode string) driver.Command { return command(t, mode) }) {
		r := <-result
		NewWithT(t).Expect(r.error).NotTo(HaveOccurred())
		NewWithT(t).Expect(r.Report.OK()).To(BeTrue(), r.String())
	}
}

// The list of workers that counts is the one that the driver tells now, and not that of ready: nothing after the death
// is blamed for it.
func TestCheckBlamesNoLaterStepForAWorkerThatDiedOfABadArgument(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	r, err := driver.Check(t.Context(), command(t, "dies of a bad argument"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.OK()).To(BeTrue(), r.String())
}

// wrong is a driver that does one thing wrong, and where and how the check says so.
type wrong struct {
	mode string
	step string // the first that fails; "" where that depends on timing
	kind driver.Kind
	text string
}

// Each of these drivers does one thing wrong. The check names it, at the step where it shows.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	cases := []wrong{
		{
			"rubbish", "hello", driver.Rubbish,
			`output line 1: rubbish: "Loading libpool 1.0\x1b[31m..." is no JSON object`,
		},
		{"two on a line", "hello", driver.Rubbish, "output line 1"},
		{"long", "hello", driver.TooLong, "at most 1048576 bytes"},
		{"flood", "", driver.Flood, "10000 violations"},
		{"endless line", "hello", driver.Flood, "without a line feed"},
		{"never greets", "hello", driver.NoAnswer, "none within 2s"},
		{"never reads", "hello", driver.NoAnswer, "none within 2s"},
		{"mute", "hello", driver.Mute, "output is closed"},
		{"dies at once", "hello", driver.Died, "exited with code 3"},
		{"old", "hello", driver.BadField, "protocol 0: want 1"},
		{"half a hello", "hello", driver.BadField, `"name" is missing`},
		{"boasts", "hello", driver.BadField, `can "fly"`},
		{"never ready", "start", driver.NoAnswer, "none within 2s"},
		{"cannot start", "start", driver.Refused, "no room"},
		{"dies at start", "start", driver.Died, "ended by SIGKILL"},
		{"too few", "start", driver.BadField, "1 living workers of its own for size 2"},
		{"foreign pid", "start", driver.ForeignPID, "process 1 is not a descendant of the driver"},
		{"no pid", "start", driver.BadField, "output line 2: ready: bad field: -1 is no process"},
		{"one pid twice", "start", driver.BadField, "is listed twice"},
		{"ready twice", "", driver.Unasked, "output line 3: ready: unasked"},
		{"hides workers", "start", driver.NoAnswer, "workers"},
		{"wrong type", "start", driver.BadField, `"pids" is a string`},
		{"wrong value", "square", driver.WrongValue, "result: wrong value: 50 for n = 7: want 49"},
		{"no value", "square", driver.BadField, `"value" is missing`},
		{"own pid", "square", driver.ForeignPID, "name the process that ran it"},
		{"hangs", "square", driver.NoAnswer, "a task has no outcome"},
		{"unknown id", "square", driver.UnknownID, "task 1000001 was never submitted"},
		{"unknown op", "square", driver.UnknownOp, `"progress"`},
		{"answers twice", "", driver.AnsweredTwice, "task 1 has its outcome already"},
		{"dies", "square", driver.Died, "exited with code 1"},
		{"torn", "square", driver.Rubbish, "has no end"},
		{"anonymous error", "failing tasks", driver.Unasked, "the error of a task carries its id"},
		{"accepts anything", "failing tasks", driver.WrongValue, "want an error with the task's id"},
		{"serial", "side by side", driver.NoAnswer, "requests waited for the end of a running task"},
		{"sleepless", "side by side", driver.WrongValue, "it must last that long"},
		{"has no pool", "all stopped", driver.Pretence, "answered while every worker was stopped"},
		{"deaf to unknown ops", "unknown op", driver.NoAnswer, "none within 2s"},
		{"keeps no record", "witness", driver.BadField, "the witness file was never written"},
		{
			"dies with a worker", "dead worker", driver.Died,
			"exited with code 2 though nobody had asked it to stop, after its worker",
		},
		{"runs tasks itself", "square", driver.ForeignPID, "the driver itself): name the process that ran it"},
		{"runs tasks itself", "square", driver.NoAnswer, "answered any of 4 tasks"},
		{"runs tasks itself", "square", driver.Pretence, "while every worker was stopped (by process"},
		{"never stops", "stop", driver.NoAnswer, "stop"},
		{"ends without a word", "stop", driver.NoAnswer, "it ended without a word"},
		{"lingers", "stop", driver.Lingers, "it lives on after 2s"},
		{"exit code", "stop", driver.Died, "exited with code 7: want code 0"},
		{"leaves children", "stop", driver.ChildrenLeft, "(sleep)"},
		{"ignores the end", "end of input", driver.Lingers, "when standard input ends"},
		{"abandons workers", "end of input", driver.ChildrenLeft, "(sleep)"},
	}
	results := checkAll(t, cases, func(c wrong) driver.Command { return command(t, c.mode) })
	for i, c := range cases {
		t.Run(c.mode, func(t *testing.T) {
			g := NewWithT(t)
			r := <-results[i]
			g.Expect(r.error).NotTo(HaveOccurred())
			g.Expect(r.OK()).To(BeFalse())
			g.Expect(r.Violations()).To(ContainElement(And(
				HaveField("Kind", c.kind), WithTransform((*driver.Violation).Error, ContainSubstring(c.text)))),
				r.String())
			for _, s := range r.Steps {
				if len(s.Found) > 0 && c.step != "" {
					g.Expect(s.Name).To(Equal(c.step), "the first step that fails\n%s", r.Report)
					break
				}
			}
		})
	}
}

func TestCheckTellsHowToInstallWhatIsMissing(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	// It speaks and ends before it has read a word, so that with many at once some end before a word was written.
	modes := slices.Repeat([]string{"not installed"}, 20)
	for _, result := range checkAll(t, modes, func(mode string) driver.Command { return command(t, mode) }) {
		r := <-result
		g.Expect(r.error).To(MatchError("libpool is not installed: apt-get install libpool"), r.String())
	}

	_, err := driver.Check(t.Context(), driver.Command{Argv: []string{"no-such-driver"}})
	var missing *foreign.NotInstalledError
	g.Expect(err).To(BeAssignableToTypeOf(missing))
	g.Expect(err).To(MatchError("no-such-driver is not installed"))
}

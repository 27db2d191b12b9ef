package driver_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
)

// start starts a fake driver of two workers; the test's end closes it.
func start(t *testing.T, mode string) *driver.Driver {
	t.Helper()
	c := command(t, mode)
	c.Size = 2
	d, err := driver.Start(bound(t), c)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { NewWithT(t).Expect(d.Close()).To(Succeed()) })
	return d
}

func bound(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func arg(n int) map[string]int { return map[string]int{"n": n} }

func TestTasksGetTheirOwnAnswers(t *testing.T) {
	g := NewWithT(t)
	d := start(t, "good")
	futures := map[int]*driver.Future{}
	for n := range 100 {
		f, err := d.Submit(uint64(n), "square", arg(n))
		g.Expect(err).NotTo(HaveOccurred())
		futures[n] = f
	}
	for n, f := range futures {
		a, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(string(a.Value)).To(Equal(strconv.Itoa(n * n)))
	}
	workers, err := d.Workers(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(workers).To(HaveLen(2))
	g.Expect(d.Violations()).To(BeEmpty())
	g.Expect(d.Stop(bound(t))).To(Succeed())

	_, err = d.Submit(1000, "square", arg(1))
	g.Expect(err).To(MatchError(driver.ErrClosed))
	_, err = d.Workers(bound(t))
	g.Expect(err).To(MatchError(driver.ErrClosed))
}

func TestATaskFailsWithThePoolsOwnError(t *testing.T) {
	g := NewWithT(t)
	d := start(t, "good")
	f, err := d.Submit(1, "no-such-task", arg(1))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = f.Result(bound(t))
	var task *driver.TaskError
	g.Expect(errors.As(err, &task)).To(BeTrue())
	g.Expect(task.Text).To(Equal("ValueError: cannot do that"))
}

func TestAnIDCanBeUsedOnce(t *testing.T) {
	g := NewWithT(t)
	d := start(t, "good")
	f, err := d.Submit(1, "square", arg(3))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = d.Submit(1, "square", arg(3))
	g.Expect(err).To(MatchError(ContainSubstring("want a new one")))
	_, err = f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = d.Submit(1, "square", arg(3))
	g.Expect(err).To(MatchError(ContainSubstring("want a new one")))
	_, err = d.Submit(1<<60, "square", arg(3))
	g.Expect(err).To(MatchError(ContainSubstring("at most 2^53")))
}

func TestALongLineIsNotSent(t *testing.T) {
	g := NewWithT(t)
	d := start(t, "good")
	_, err := d.Submit(1, "echo", strings.Repeat("x", driver.MaxLine))
	g.Expect(err).To(MatchError(ContainSubstring("a line has at most 1048576")))
	f, err := d.Submit(1, "square", arg(3))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
}

func TestADriverThatDiesFailsWhatWaits(t *testing.T) {
	g := NewWithT(t)
	d := start(t, "dies")
	f, err := d.Submit(1, "square", arg(3))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = f.Result(bound(t))
	var gone *driver.GoneError
	g.Expect(errors.As(err, &gone)).To(BeTrue())
	g.Expect(gone.Violation.Kind).To(Equal(driver.Died))
	g.Expect(err).To(MatchError(ContainSubstring("exited with code 1")))
	g.Eventually(d.Gone()).Should(BeClosed())
	_, err = d.Submit(2, "square", arg(3))
	g.Expect(err).To(Equal(error(gone)), "the same error for whoever asks later")
}

func TestCloseSettlesWhatNeverWouldBe(t *testing.T) {
	g := NewWithT(t)
	d := start(t, "hangs")
	f, err := d.Submit(1, "square", arg(3))
	g.Expect(err).NotTo(HaveOccurred())
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = f.Result(soon)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(d.Close()).To(Succeed())
	_, err = f.Result(bound(t))
	g.Expect(err).To(MatchError(driver.ErrClosed))
	g.Expect(d.Close()).To(Succeed(), "twice")
}

// A driver that stops reading fills its pipe: the harness gives up on it instead of waiting.
func TestADriverThatDoesNotReadIsEnded(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	c := command(t, "good")
	c.Size, c.Timeouts.Read = 2, time.Second
	d, err := driver.Start(bound(t), c)
	g.Expect(err).NotTo(HaveOccurred())
	defer d.Close()
	g.Expect(syscall.Kill(d.PID(), syscall.SIGSTOP)).To(Succeed())
	for id := uint64(0); err == nil; id++ {
		_, err = d.Submit(id, "echo", strings.Repeat("x", 1000))
	}
	var gone *driver.GoneError
	g.Expect(errors.As(err, &gone)).To(BeTrue(), "%v", err)
	g.Expect(gone.Violation.Kind).To(Equal(driver.Deaf))
}

func TestStopNamesWhatWasLeft(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	d := start(t, "leaves children")
	err := d.Stop(bound(t))
	var v *driver.Violation
	g.Expect(errors.As(err, &v)).To(BeTrue())
	g.Expect(v.Kind).To(Equal(driver.ChildrenLeft))
	g.Expect(d.Left()).To(BeNumerically(">=", 1))
}

func TestADriverThatDoesNotEndIsLeftItself(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	d := start(t, "lingers")
	g.Expect(d.Stop(bound(t))).NotTo(Succeed())
	g.Expect(d.Left()).To(BeNumerically(">=", 1))
}

func TestAWrongSizeStartsNothing(t *testing.T) {
	_, err := driver.Start(t.Context(), driver.Command{Argv: fake("good")})
	NewWithT(t).Expect(err).To(MatchError("driver: size 0: want at least 1"))
}

// Started and stopped over and over, with tasks and without, drivers leave no descriptor and no goroutine behind.
func TestNothingOfADriverIsLeftHere(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	files := func() int { entries, _ := os.ReadDir("/proc/self/fd"); return len(entries) }
	start(t, "good").Close() // what the runtime opens once
	filesBefore, goroutinesBefore := files(), runtime.NumGoroutine()
	for i := range 10 {
		d := start(t, []string{"good", "dies", "hangs"}[i%3])
		_, err := d.Submit(1, "square", arg(2))
		g.Expect(err).NotTo(HaveOccurred())
		if i%2 == 0 {
			_ = d.Stop(bound(t))
		}
		g.Expect(d.Close()).To(Succeed())
	}
	g.Eventually(files).Should(BeNumerically("<=", filesBefore))
	g.Eventually(runtime.NumGoroutine).Should(BeNumerically("<=", goroutinesBefore+1))
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

// apart is the command as a process of its own.
func apart(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"respawn"}, args...), Dir: t.TempDir()}
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	t.Cleanup(func() {
		if cmd.Process != nil && cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd
}

const stormy = `name: stormy
target: {pool: {size: 2}}
load: {task: sleep, args: {duration: 10ms}, concurrency: 4}
chaos:
  - fault: {pause: 50ms}
    when: {every: 100ms, for: 2m}
`

// `respawn run … 2>&1 | tee log` and Ctrl-C: the reader is gone, and then come signals, of all kinds and often.
func TestRunIsHealedAndReportedWhenItsReaderGoesAndSignalsComeInHeaps(t *testing.T) {
	takes.Seconds(t)
	for name, signals := range map[string][]os.Signal{
		"ctrl-c": {os.Interrupt},
		"wrapper": {
			syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGQUIT, os.Interrupt,
			syscall.SIGUSR1, os.Interrupt,
		},
		"timer": {syscall.SIGALRM, syscall.SIGXCPU, syscall.SIGUSR2, syscall.SIGPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			cmd := apart(t, "run", "stormy.yaml", "--out", "out")
			g.Expect(os.WriteFile(filepath.Join(cmd.Dir, "stormy.yaml"), []byte(stormy), 0o600)).To(Succeed())
			read, write, err := os.Pipe()
			g.Expect(err).NotTo(HaveOccurred())
			cmd.Stdout, cmd.Stderr = write, write
			g.Expect(cmd.Start()).To(Succeed())
			g.Expect(write.Close()).To(Succeed())
			lines := bufio.NewScanner(read)
			for lines.Scan() && !strings.Contains(lines.Text(), "confirmed") {
			}
			g.Expect(lines.Text()).To(ContainSubstring("confirmed"))
			g.Expect(read.Close()).To(Succeed())
			for _, s := range signals {
				g.Expect(cmd.Process.Signal(s)).To(Succeed())
			}
			_ = cmd.Wait()
			want := []int{exitAborted}
			if slices.Contains(signals, os.Interrupt) {
				want = []int{exitInterrupted}
			}
			if signals[0] != os.Interrupt {
				// of signals that are pending together the kernel delivers the lowest number first
				want = append(want, exitAborted)
			}
			g.Expect(want).To(ContainElement(cmd.ProcessState.ExitCode()))
			report, err := os.ReadFile(filepath.Join(cmd.Dir, "out/stormy/report.json"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(report)).To(ContainSubstring(`"verdict": "ABORTED"`))
			g.Expect(filepath.Join(cmd.Dir, "out/index.html")).To(BeARegularFile())
		})
	}
}

func TestNobodyWhoReadsTheResultIsNoError(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	cmd := apart(t, "list")
	read, write, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(read.Close()).To(Succeed())
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = write, &stderr
	g.Expect(cmd.Run()).To(Succeed())
	g.Expect(write.Close()).To(Succeed())
	g.Expect(stderr.String()).To(BeEmpty())
}

func TestCtrlCIsImpatienceOnlyAWhileAfterTheFirstSignal(t *testing.T) {
	for name, c := range map[string]struct {
		after []time.Duration // between signals
		by    []os.Signal
		exits int
	}{
		"once": {[]time.Duration{0}, []os.Signal{os.Interrupt}, 0},
		"a heap": {
			[]time.Duration{0, 0, time.Millisecond, time.Second},
			[]os.Signal{os.Interrupt, os.Interrupt, os.Interrupt, os.Interrupt},
			0,
		},
		"pressed again":          {[]time.Duration{0, patience}, []os.Signal{os.Interrupt, os.Interrupt}, 1},
		"a wrapper, then Ctrl-C": {[]time.Duration{0, patience}, []os.Signal{syscall.SIGTERM, os.Interrupt}, 1},
		"a wrapper for ever": {
			[]time.Duration{0, patience, patience},
			[]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP},
			0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := NewWithT(t)
				ctx, cancel := context.WithCancelCause(t.Context())
				var told bytes.Buffer
				codes := []int{}
				s := &stopping{cancel: cancel, stderr: &told, exit: func(code int) { codes = append(codes, code) }}
				done := records(context.WithValue(ctx, stoppingKey{}, s), "out/a b/history.jsonl", nil)
				signals := make(chan os.Signal)
				go s.watch(signals)
				for i, by := range c.by {
					<-time.After(c.after[i])
					signals <- by
				}
				synctest.Wait()
				g.Expect(context.Cause(ctx)).To(Equal(stopped{c.by[0]}))
				g.Expect(codes).To(HaveLen(c.exits))
				g.Expect(told.String()).To(HavePrefix("respawn: stopping: what was injected is healed, and the " +
					"report is written; Ctrl-C in 2s ends it at once\n"))
				if c.exits > 0 {
					g.Expect(codes[0]).To(Equal(exitInterrupted))
					g.Expect(told.String()).To(HaveSuffix("respawn: ended at once; for a report of what there is: " +
						"respawn report 'out/a b/history.jsonl'\n"))
				} else {
					g.Expect(strings.Count(told.String(), "\n")).To(Equal(1))
				}
				done()
				g.Expect(s.history.Load()).To(BeNil())
				close(signals)
			})
		})
	}
}

// A pipe that is full, or a terminal that was stopped with Ctrl-S, must not hold up what is being measured.
func TestProgressThatNobodyReadsHoldsUpNobody(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	read, write := io.Pipe()
	s := newScreen(write)
	for range 10_000 {
		n, err := s.Write([]byte("news\n"))
		g.Expect(n).To(Equal(5))
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(s.Close()).To(Succeed())
	g.Expect(read.Close()).To(Succeed()) // lets go of the writer
	<-s.shown
}

package chaos_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
	"github.com/respawn-go/respawn/chaos/history"
	guards "github.com/respawn-go/respawn/internal/guardian"
	"github.com/respawn-go/respawn/internal/procfs"
)

// broken is a pause whose confirmation goes wrong.
type broken struct {
	faults.Pause
	how func() error
}

func (b broken) Begin() chaos.Injection { return &brokenInjection{b.Pause.Begin(), b.how} }

type brokenInjection struct {
	chaos.Injection
	how func() error
}

func (b *brokenInjection) Confirm(context.Context, *chaos.Case) (history.Receipt, error) {
	return history.Receipt{}, b.how()
}

func stopped(pid int) func() bool {
	return func() bool { s, err := procfs.Stopped(pid); return s && err == nil }
}

// A stopped victim goes on, however its injection ended.
func TestHealAfterEverything(t *testing.T) {
	failed := errors.New("no evidence")
	for _, c := range []struct {
		name    string
		fault   func(cancel context.CancelFunc) chaos.Fault
		abort   []chaos.Abort
		err     error
		outcome string
	}{
		{"failure", func(context.CancelFunc) chaos.Fault {
			return broken{faults.Pause{}, func() error { return failed }}
		}, nil, nil, "unconfirmed"},
		{"panic", func(context.CancelFunc) chaos.Fault {
			return broken{faults.Pause{}, func() error { panic("a mistake in the harness") }}
		}, nil, &chaos.PanicError{}, "unconfirmed"},
		{"abort", func(context.CancelFunc) chaos.Fault { return faults.Pause{For: time.Hour} }, []chaos.Abort{{
			Rule:    "a fault was injected",
			Tripped: func(e history.Event) bool { return e.Fault != nil && e.Fault.Op == history.Injected },
		}}, chaos.ErrAborted, "unconfirmed"},
		{"interruption", func(cancel context.CancelFunc) chaos.Fault {
			return broken{faults.Pause{}, func() error { cancel(); return context.Canceled }}
		}, nil, chaos.ErrInterrupted, "unconfirmed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := NewWithT(t)
			p := sleepers(t, 2)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var rec tape
			run := chaos.Run{
				Target: p, Open: rec.open, Chaos: []chaos.Nemesis{once(c.fault(cancel))}, Abort: c.abort,
				Settle: time.Second, Steady: 1,
			}
			err := run.Do(ctx)
			switch want := c.err.(type) { //nolint:errorlint // the table's own
			case nil:
				g.Expect(err).NotTo(HaveOccurred())
			case *chaos.PanicError:
				g.Expect(errors.As(err, &want)).To(BeTrue(), "%v", err)
				g.Expect(rec.count(func(e history.Event) bool {
					return e.Alarm != nil && e.Alarm.Kind == history.AlarmError
				})).To(Equal(1))
			default:
				g.Expect(err).To(MatchError(want))
			}
			g.Expect(rec.settled()).To(Equal(map[string]int{c.outcome: 1}))
			g.Expect(rec.faults(history.Healed)).To(HaveLen(1))
			g.Expect(rec.closed).To(BeTrue())
			for _, m := range p.list {
				g.Expect(stopped(m.PID)()).To(BeFalse())
			}
		})
	}
}

// harnessRole makes TestMain a harness of its own: "PID,DIR" has it pause that process for an hour, "PID,DIR,oom" lets
// a hog that is stopped wait beside it, and "PID,DIR,cpu" throttles it for an hour with a guardian that ends it too.
const harnessRole = "RESPAWN_TEST_HARNESS"

// harness is a process that runs chaos against the process whose pid its environment names.
func harness() {
	spec, dir, _ := strings.Cut(os.Getenv(harnessRole), ",")
	dir, fault, _ := strings.Cut(dir, ",")
	pid, _ := strconv.Atoi(spec)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	id := "harness-of-" + spec
	if fault == "cpu" {
		id = ownHarness
	}
	guardian, err := guards.Start(id, nil)
	if err != nil {
		panic(err)
	}
	run := chaos.Run{
		Target: &procs{marker: "harness", list: []chaos.Member{member(0, pid)}}, Guardian: guardian, Steady: 1,
		Open:  chaos.Create(filepath.Join(dir, "history.jsonl")),
		Chaos: []chaos.Nemesis{once(faults.Pause{For: time.Hour})},
	}
	switch fault {
	case "oom":
		run.Chaos, run.Progress = []chaos.Nemesis{once(faults.OOM{Mechanism: "cgroup"})}, stopHogs
	case "cpu":
		run.Target = &procs{marker: ownHarness, list: []chaos.Member{member(0, pid)}}
		run.Chaos = []chaos.Nemesis{once(faults.CPU{Quota: 0.05, For: time.Hour})}
	}
	if err = run.Do(ctx); errors.Is(err, chaos.ErrInterrupted) {
		err = nil
	}
	if err = errors.Join(err, guardian.Close()); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// A harness that is told to end heals before it does; for one that is killed its guardian does.
func TestHealWhenTheHarnessEnds(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			g := NewWithT(t)
			victim := sleeper(t, "harness").Process.Pid
			dir := t.TempDir()
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), harnessRole+"="+strconv.Itoa(victim)+","+dir)
			cmd.Stderr = os.Stderr
			g.Expect(cmd.Start()).To(Succeed())
			t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
			g.Eventually(stopped(victim)).WithTimeout(20 * time.Second).Should(BeTrue())

			g.Expect(cmd.Process.Signal(sig)).To(Succeed())
			g.Eventually(stopped(victim)).WithTimeout(20 * time.Second).Should(BeFalse())
			err := cmd.Wait()
			if sig == syscall.SIGKILL {
				return // nothing of it could write more
			}
			g.Expect(err).NotTo(HaveOccurred())
			r, err := history.Open(filepath.Join(dir, "history.jsonl"))
			g.Expect(err).NotTo(HaveOccurred())
			defer r.Close()
			var last history.Event
			var alarms []string
			for e, err := range r.Events() {
				g.Expect(err).NotTo(HaveOccurred())
				if last = e; e.Alarm != nil {
					alarms = append(alarms, string(e.Alarm.Kind))
				}
			}
			g.Expect(alarms).To(Equal([]string{"interrupt"}))
			g.Expect(last.End).To(HaveField("Aborted", true))
		})
	}
}

// ownHarness marks the victim that belongs to its harness, as a run's members do.
const ownHarness = "harness-and-victim"

package chaos_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/own"
)

func TestMain(m *testing.M) {
	chaos.Main()
	if os.Getenv(harnessRole) != "" {
		harness()
	}
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGHUP} {
		if signal.Ignored(sig) { // by nohup, or a shell's background job: a victim that inherited it would, too
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	os.Exit(m.Run())
}

// tape is a history in memory.
type tape struct {
	mu     sync.Mutex
	header history.Header
	events []history.Event
	closed bool
	abort  bool
	seen   func(history.Event) // called with each event before it is recorded; may be nil
}

func (t *tape) open(h history.Header) (chaos.Recorder, error) { t.header = h; return t, nil }

func (t *tape) Append(e history.Event) error {
	if t.seen != nil {
		t.seen(e)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e.T = time.Since(t.header.Started)
	t.events = append(t.events, e)
	return nil
}

func (t *tape) Close(aborted bool) error {
	t.closed, t.abort = true, aborted
	return nil
}

// count counts the events that are.
func (t *tape) count(is func(history.Event) bool) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if is(e) {
			n++
		}
	}
	return n
}

// conclusions are the receipts of the faults that have concluded, for the message of a test that fails.
func (t *tape) conclusions() (list []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.Fault != nil && e.Fault.Op == history.Concluded {
			list = append(list, fmt.Sprintf("%v %s: %s %+v", e.T, e.Fault.Outcome, e.Fault.Err, e.Fault.Receipt))
		}
	}
	return list
}

// settled counts the injections by outcome.
func (t *tape) settled() map[string]int {
	m := map[string]int{}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.Fault != nil && e.Fault.Op == history.Concluded {
			m[string(e.Fault.Outcome)]++
		}
	}
	return m
}

// faults lists the steps of injections with that op.
func (t *tape) faults(op history.FaultOp) (list []history.Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.Fault != nil && e.Fault.Op == op {
			list = append(list, *e.Fault)
		}
	}
	return list
}

// exitOf is how the member with that pid ended, as the target told it.
func (t *tape) exitOf(pid int) (x history.Exit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if m := e.Member; m != nil && m.Op == history.Exited && m.PID == pid && m.Exit != nil {
			x = *m.Exit
		}
	}
	return x
}

// outcomes counts the tasks by outcome.
func (t *tape) outcomes() map[history.Outcome]int {
	m := map[history.Outcome]int{}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		if e.Task != nil && e.Task.Op == history.Settled {
			m[e.Task.Outcome]++
		}
	}
	return m
}

// start makes a pool fit for chaos, which is gone at the end of the test.
func start(t *testing.T, cfg pool.Config) *own.Started {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	p, err := own.Start(ctx, cfg, t.TempDir())
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = p.Terminate() })
	return p
}

// long leaves a test that takes seconds out with -short.
func long(t *testing.T) {
	t.Helper()
	takes.Seconds(t)
}

package pool_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestTheLoggerGetsLivesAtInfoAndFailuresAtWarn(t *testing.T) {
	g, log := NewWithT(t), &lockedBuffer{}
	p := start(t, pool.Config{Size: 1, Logger: slog.New(slog.NewTextHandler(log, nil))})
	g.Eventually(log.String).
		Should(MatchRegexp(`level=INFO msg="worker ready" worker=Worker-1 pid=\d+ slot=0 generation=1`))
	g.Expect(dieOnce.Call(bound(t), via(p), "goroutine panic")).To(Equal(2))
	g.Eventually(log.String).
		Should(MatchRegexp(`level=WARN msg="worker exited" worker=Worker-1 .*panic: not recovered`))
	g.Expect(p.Close()).To(Succeed())
	g.Expect(log.String()).To(MatchRegexp(`level=INFO msg="worker exited" worker=Worker-2`))
}

func TestTheLoggerIsToldWhyWorkersDoNotComeUpAndHowLongThePoolWaits(t *testing.T) {
	g, log := NewWithT(t), &lockedBuffer{}
	_, err := pool.New(bound(t), pool.Config{
		Size: 1, Initializer: slowly.With(""), Backoff: pool.Backoff{Base: time.Millisecond, Threshold: 2},
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	g.Expect(err).To(MatchError(pool.ErrCrashLoop))
	g.Expect(log.String()).To(And(
		MatchRegexp(`level=WARN msg="a worker did not come up" worker=Worker-1 err="[^\n]*the database is away`),
		MatchRegexp(`level=WARN msg="workers do not come up: waiting before the next start" failures=[1-9]\d* `+
			`delay=\d\S*s cause="[^\n]*the database is away`)))
}

func TestALimitThatIsNoCgroupsIsLoggedWithTheCause(t *testing.T) {
	needDataLimit(t)
	g, log := NewWithT(t), &lockedBuffer{}
	cfg := pool.Config{Size: 1, HardMemory: hard, Logger: slog.New(slog.NewTextHandler(log, nil))}
	start(t, cfg.WithoutCgroup(errors.New("none can be made here")))
	g.Eventually(log.String).WithTimeout(patience).Should(MatchRegexp(`level=WARN msg="the memory of a worker is limited by RLIMIT_DATA.* worker=Worker-1 cause="none can be made here"`))
}

func TestALogHandlerMayCallThePoolAndMayBlock(t *testing.T) {
	g := NewWithT(t)
	p := (*pool.Pool)(nil)
	h := &callingHandler{Handler: slog.DiscardHandler, block: make(chan struct{}), blocked: make(chan struct{}, 1)}
	h.call = func() { _ = p.Stats() }
	p, err := pool.New(bound(t), pool.Config{Size: 1, Logger: slog.New(h)})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Terminate()
	defer close(h.block)
	kill(t, p.Workers()[0].PID, 9)
	g.Eventually(h.blocked).WithTimeout(patience).Should(Receive())
	for range 3 {
		g.Expect(square.Call(bound(t), via(p), 3)).To(Equal(9))
		kill(t, p.Workers()[0].PID, 9)
		whole(t, p)
	}
}

// callingHandler calls the pool with each record of an exit, and then blocks.
type callingHandler struct {
	slog.Handler
	call           func()
	block, blocked chan struct{}
}

func (h *callingHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *callingHandler) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "worker exited" {
		h.call()
		select {
		case h.blocked <- struct{}{}:
		default:
		}
		<-h.block
	}
	return nil
}

func TestWithoutAHeartbeatAStoppedWorkerIsLeftAlone(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: -1})
	before := pids(p)
	kill(t, before[0], 19)
	g.Consistently(func() map[int]int { return pids(p) }, 300*time.Millisecond).Should(Equal(before))
	kill(t, before[0], 18)
	whole(t, p)
	g.Expect(pids(p)).To(Equal(before))
}

func TestANegativeCancelGraceNeverKills(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, CancelGrace: -1})
	gate, before := closedGate(t), pids(p)
	ctx, cancel := context.WithCancel(t.Context())
	f := gated.Submit(ctx, via(p), gate)
	inPhase(t, p, 0, pool.PhaseRunning)
	cancel()
	_, err := f.Result(bound(t))
	g.Expect(err).To(MatchError(context.Canceled))
	g.Consistently(func() bool { return isAlive(before[0]) }, 100*time.Millisecond).Should(BeTrue())
	open(t, gate)
	whole(t, p)
	g.Expect(pids(p)).To(Equal(before))
}

// A knob that nobody turns in a test or shows in an example is not one.
func TestEachConfigFieldIsUsedInATestAndAnExample(t *testing.T) {
	read := func(example bool) string {
		var all strings.Builder
		names, err := filepath.Glob("*_test.go")
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for _, name := range names {
			if strings.HasPrefix(name, "example_") != example {
				continue
			}
			data, err := os.ReadFile(name)
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			all.Write(data)
		}
		return all.String()
	}
	tests, examples := read(false), read(true)
	for _, typ := range []reflect.Type{
		reflect.TypeFor[pool.Config](), reflect.TypeFor[pool.Backoff](), reflect.TypeFor[pool.Budgets](),
	} {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if !f.IsExported() {
				continue
			}
			if !strings.Contains(tests, f.Name+": ") {
				t.Errorf("no test sets %s.%s", typ.Name(), f.Name)
			}
			if !strings.Contains(examples, f.Name+": ") {
				t.Errorf("no example shows %s.%s", typ.Name(), f.Name)
			}
		}
	}
}

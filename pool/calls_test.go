package pool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"

	. "github.com/onsi/gomega"
)

func TestCallEqualsThePlainCall(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	for _, n := range []int{0, 1, -7, 23, 24, 255, 256, 65536, -65537, 1 << 40, -1 << 31} {
		g.Expect(square.Call(bound(t), via(p), n)).To(Equal(n * n))
	}
}

func TestMapKeepsTheOrderOfItsInputs(t *testing.T) {
	for _, n := range []int{0, 1, 10, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			g, p := NewWithT(t), start(t, pool.Config{Size: 3})
			in := make([]int, n)
			for i := range in {
				in[i] = i
			}
			out, err := square.Map(bound(t), via(p), in)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(out).To(HaveLen(n))
			for i, v := range out {
				g.Expect(v).To(Equal(i * i))
			}
		})
	}
}

func TestMapReportsEachFailedItemAndRunsTheRest(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	_, err := fail.Map(bound(t), via(p), []string{"a", "typed", "b"})
	var item *pool.ItemError
	g.Expect(errors.As(err, &item)).To(BeTrue())
	g.Expect(err.Error()).
		To(And(ContainSubstring("item 0: plain a"), ContainSubstring("item 1"), ContainSubstring("item 2: plain b")))
}

func TestStreamIsOrderedLazyAndEndsCleanly(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	var pulled atomic.Int64
	endless := func(yield func(time.Duration, error) bool) {
		for yield(time.Millisecond, nil) {
			pulled.Add(1)
		}
	}
	got := 0
	for _, err := range sleep.Stream(bound(t), via(p), endless) {
		g.Expect(err).NotTo(HaveOccurred())
		if got++; got == 20 {
			break
		}
	}
	g.Expect(pulled.Load()).To(BeNumerically("<", 200), "an endless input is not read ahead of its results")
	whole(t, p)
	next := 0
	for v, err := range square.Stream(bound(t), via(p), pool.Slice([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})) {
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(v).To(Equal(next * next))
		next++
	}
	g.Expect(next).To(Equal(10))
}

func TestStreamUnorderedYieldsTheSameMultiset(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 3})
	var in, out, want []int
	for i := range 500 {
		in, want = append(in, i), append(want, i*i)
	}
	for v, err := range square.StreamUnordered(bound(t), via(p), pool.Seq(slices.Values(in))) {
		g.Expect(err).NotTo(HaveOccurred())
		out = append(out, v)
	}
	g.Expect(out).To(ConsistOf(want))
}

func TestStreamUnorderedDoesNotWaitForASlowItem(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	var order []int
	in := []time.Duration{300 * time.Millisecond, time.Millisecond, time.Millisecond}
	i := 0
	for _, err := range sleep.StreamUnordered(bound(t), via(p), pool.Slice(in)) {
		g.Expect(err).NotTo(HaveOccurred())
		order = append(order, i)
		i++
		if i == 1 {
			g.Expect(p.Stats().InFlight).To(BeNumerically(">=", 1), "the slow item is still running")
		}
	}
	g.Expect(order).To(HaveLen(3))
}

func TestStreamYieldsItemsBeforeAnInputErrorThenThatError(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	broken := errors.New("input broke")
	in := func(yield func(int, error) bool) {
		for i := range 5 {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, broken)
	}
	var got []int
	var last error
	for v, err := range square.Stream(bound(t), via(p), in) {
		if last = err; err == nil {
			got = append(got, v)
		}
	}
	g.Expect(got).To(Equal([]int{0, 1, 4, 9, 16}))
	g.Expect(last).To(MatchError(broken))
	whole(t, p)
}

func TestAStreamWhoseInputQuitsEndsWithAnError(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	var got []int
	var last error
	for v, err := range square.Stream(bound(t), via(p), pool.Seq(func(yield func(int) bool) {
		yield(3)
		runtime.Goexit()
	})) {
		if last = err; err == nil {
			got = append(got, v)
		}
	}
	g.Expect(got).To(Equal([]int{9}))
	g.Expect(last).To(MatchError(ContainSubstring("called runtime.Goexit")))
	whole(t, p)
}

func TestStreamGoesOnAfterAHandlersError(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	errs := 0
	for _, err := range fail.Stream(bound(t), via(p), pool.Slice([]string{"a", "panic", "b"})) {
		g.Expect(err).To(HaveOccurred())
		errs++
	}
	g.Expect(errs).To(Equal(3))
}

func TestAStreamWhoseInputBlocksEndsWithItsContext(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	ctx, cancel := context.WithCancel(t.Context())
	more := make(chan int)
	defer close(more)
	input := func(yield func(int, error) bool) {
		for n := range more {
			if !yield(n, nil) {
				return
			}
		}
	}
	go func() { more <- 3 }()
	ended := make(chan []error, 1)
	go func() {
		var errs []error
		for _, err := range square.Stream(ctx, via(p), input) {
			errs = append(errs, err)
			cancel()
		}
		ended <- errs
	}()
	var errs []error
	g.Eventually(ended).WithTimeout(patience).Should(Receive(&errs))
	g.Expect(errs).To(HaveExactElements(BeNil(), MatchError(context.Canceled)))
}

func TestStreamRaisesAPanicOfItsInputInTheConsumer(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	in := func(yield func(int, error) bool) {
		yield(1, nil)
		panic("input panicked")
	}
	g.Expect(func() {
		for range square.Stream(bound(t), via(p), in) {
		}
	}).To(PanicWith("input panicked"))
	whole(t, p)
}

func TestResultWithAnExpiringContextLeavesTheTaskRunning(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	f := sleep.Submit(bound(t), via(p), 200*time.Millisecond)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := f.Result(short)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(f.Result(bound(t))).To(BeNumerically(">", 0))
}

func TestDoneFiresOnceAndResultRepeats(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	f := square.Submit(bound(t), via(p), 9)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { <-f.Done() })
	}
	wg.Wait()
	for range 3 {
		g.Expect(f.Result(bound(t))).To(Equal(81))
	}
	g.Expect(f.Outcome().Attempts).To(Equal(1))
	g.Expect(f.Outcome().PID).To(Equal(p.Workers()[0].PID))
}

func TestConfigReportsEveryMistakeAtOnce(t *testing.T) {
	g := NewWithT(t)
	_, err := pool.New(bound(t), pool.Config{Size: -1, MaxTasks: -1, TaskTimeout: -time.Second})
	g.Expect(err).To(MatchError(And(ContainSubstring("Config.Size is -1"), ContainSubstring("Config.MaxTasks is -1"),
		ContainSubstring("Config.TaskTimeout is -1s"))))
	for _, cfg := range []pool.Config{
		{Spares: -1},
		{MaxAge: -1},
		{SoftMemory: -1},
		{HardMemory: 1},
		{QueueLimit: -1},
		{QueueBlock: true},
		{Heartbeat: time.Millisecond},
		{Env: []string{"novalue"}},
		{Dir: "/does/not/exist"},
		{Dir: "/etc/passwd"},
		{Budgets: pool.Budgets{Crashes: -1}},
		{Budgets: pool.Budgets{Nodes: -1}},
		{HardMemory: 32 * pool.MiB, SoftMemory: 64 * pool.MiB},
		{MaxPayload: 2 * pool.GiB},
		{BootTimeout: -1},
		{StopGrace: -1},
		{CloseTimeout: -1},
		{Backoff: pool.Backoff{Base: -1}},
		{Delivery: 9},
		{Initializer: &pool.Initializer{}},
		{Initializer: pool.Init[string]{}.With("x")},
	} {
		g.Expect(cfg.Validate()).To(HaveOccurred(), "%+v", cfg)
	}
	g.Expect(pool.Config{}.Validate()).To(Succeed())
}

func TestUseAfterCloseAndTerminateIsErrClosed(t *testing.T) {
	for name, end := range map[string]func(*pool.Pool){
		"Close": func(p *pool.Pool) { _ = p.Close() }, "Terminate": (*pool.Pool).Terminate,
	} {
		t.Run(name, func(t *testing.T) {
			g, p := NewWithT(t), start(t, pool.Config{Size: 1})
			end(p)
			end(p)
			_, err := square.Call(bound(t), via(p), 1)
			g.Expect(err).To(MatchError(pool.ErrClosed))
			_, err = square.Submit(bound(t), via(p), 1).Result(bound(t))
			g.Expect(err).To(MatchError(pool.ErrClosed))
			g.Expect(p.Resize(2)).To(MatchError(pool.ErrClosed))
			g.Expect(p.Restart(bound(t))).To(MatchError(pool.ErrClosed))
		})
	}
}

func TestHandlerErrorsCrossTheBorder(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	call := func(how string) error { _, err := fail.Call(bound(t), via(p), how); return err }

	var code *codeError
	err := call("typed")
	g.Expect(err).To(MatchError("wrapped: code 42"))
	g.Expect(errors.As(err, &code)).To(BeTrue())
	g.Expect(code.Code).To(Equal(42))

	g.Expect(call("sentinel")).To(MatchError(fs.ErrNotExist))
	g.Expect(call("own")).To(MatchError(errOwn))
	var handler *pool.HandlerError
	g.Expect(errors.As(call("x"), &handler)).To(BeTrue())
	g.Expect(handler.Message).To(Equal("plain x"))
	g.Expect(handler.Type).To(Equal("*errors.errorString"))
	g.Expect(call("x")).NotTo(MatchError(errOwn))
}

// sentinels are those that a handler may return without naming them first, the package's own by their names.
var sentinels = map[string]error{
	"ErrClosed": pool.ErrClosed, "ErrQueueFull": pool.ErrQueueFull, "ErrCrashLoop": pool.ErrCrashLoop,
	"ErrInWorker": pool.ErrInWorker, "ErrMainNotCalled": pool.ErrMainNotCalled, "ErrUnsupported": pool.ErrUnsupported,
	"ErrUnknownTask": pool.ErrUnknownTask, "ErrOtherWorkers": pool.ErrOtherWorkers,
	"ErrPayloadTooLarge": pool.ErrPayloadTooLarge, "ErrNoSuchSlot": pool.ErrNoSuchSlot, "canceled": context.Canceled,
	"deadline": context.DeadlineExceeded, "EOF": io.EOF, "unexpected EOF": io.ErrUnexpectedEOF,
	"not exist": fs.ErrNotExist, "exist": fs.ErrExist, "permission": fs.ErrPermission,
}

var failAs = pool.Register("fail-as", func(_ context.Context, name string) (int, error) {
	return 0, fmt.Errorf("here: %w", sentinels[name])
})

func TestEverySentinelOfThePackageCrossesTheBorder(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for name, sentinel := range sentinels {
		_, err := failAs.Call(bound(t), via(p), name)
		g.Expect(err).To(MatchError(sentinel), name)
		for other, not := range sentinels {
			if other != name {
				g.Expect(err).NotTo(MatchError(not), "%s is no %s", name, other)
			}
		}
	}
	source, err := os.ReadFile("errors.go")
	g.Expect(err).NotTo(HaveOccurred())
	declared := regexp.MustCompile(`(?m)^\t(Err[A-Za-z]+) += `).FindAllSubmatch(source, -1)
	g.Expect(len(declared)).To(BeNumerically(">=", 10))
	for _, d := range declared {
		g.Expect(sentinels).To(HaveKey(string(d[1])))
	}
}

func TestHandlerPanicArrivesWithTheWorkersStack(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	before := pids(p)
	_, err := fail.Call(bound(t), via(p), "panic")
	var panicked *pool.PanicError
	g.Expect(errors.As(err, &panicked)).To(BeTrue())
	g.Expect(panicked.Value).To(Equal("oh no"))
	g.Expect(panicked.Stack).To(ContainSubstring("main_test.go"))
	whole(t, p)
	g.Expect(pids(p)).To(Equal(before), "a panic costs no worker")
}

// What hostile input makes of an error arrives as an error, and costs no worker.
func TestErrorsOfAnyLengthAndInNoEncodingCrossTheBorder(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, MaxPayload: pool.MiB})
	before := pids(p)
	call := func(how string) error { _, err := fail.Call(bound(t), via(p), how); return err }

	var code *codeError
	err := call("in no encoding")
	g.Expect(err).To(MatchError("bad \xff: code 2"))
	g.Expect(errors.As(err, &code)).To(BeTrue())
	g.Expect(code.Detail).To(Equal("\xfe"))

	var handler *pool.HandlerError
	g.Expect(errors.As(call("at length"), &handler)).To(BeTrue())
	g.Expect(handler.Message).To(HavePrefix("€€€"))
	g.Expect(errors.As(call("with a long detail"), &handler)).To(BeTrue())
	g.Expect(handler.Message).To(Equal("code 1"))

	var panicked *pool.PanicError
	g.Expect(errors.As(call("panic at length"), &panicked)).To(BeTrue())
	g.Expect(panicked.Value).To(HavePrefix("oh no oh no"))
	g.Expect(pids(p)).To(Equal(before))

	_, err = pool.New(bound(t),
		pool.Config{Size: 1, Initializer: setState.With("fail at length"), Backoff: pool.Backoff{Threshold: 1}})
	g.Expect(err).To(And(MatchError(pool.ErrCrashLoop), MatchError(ContainSubstring("initializer failed: no \xff€€€"))))
}

func TestAnErrorThatCannotCrossTheBorderIsNotRegistered(t *testing.T) {
	g := NewWithT(t)
	g.Expect(func() { pool.RegisterError[*fs.PathError]("path") }).
		To(PanicWith(ContainSubstring("*fs.PathError.Err (error) may hold any type")))
	g.Expect(func() { pool.RegisterError[*deepError]("deep") }).
		To(PanicWith(ContainSubstring("deepError.List[].Done (chan int) has no encoding")))
	g.Expect(func() { pool.RegisterError[*plainError]("plain") }).NotTo(Panic())
}

type (
	deepError struct {
		errorText
		List []struct{ Done chan int }
	}
	plainError struct {
		errorText
		At    time.Time
		Next  *plainError
		Cause error `cbor:"-"`
		Any   any
	}
	errorText struct{}
)

func (errorText) Error() string { return "" }

func TestMapOverNothingReturnsAtOnceWhateverTheContext(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Expect(square.Map(ctx, via(p), nil)).To(BeEmpty())
}

func TestStringsKeepTheirBytes(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for _, s := range []string{"", "plain", "caf\xe9", "\x00\xff"} {
		g.Expect(same.Call(bound(t), via(p), s)).To(Equal(s))
		g.Expect(sameInside.Call(bound(t), via(p), []string{s})).To(Equal([]string{s}))
	}
}

var (
	same       = pool.Register("same", func(_ context.Context, s string) (string, error) { return s, nil })
	sameInside = pool.Register("same-inside", func(_ context.Context, s []string) ([]string, error) { return s, nil })
)

func TestAKeyThatIsTooLongFailsTheTask(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	key := strings.Repeat("k", 255)
	seen, err := gated.Call(bound(t), via(p), "", pool.WithKey(key))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(seen.Key).To(Equal(key))
	_, err = gated.Call(bound(t), via(p), "", pool.WithKey(key+"k"))
	g.Expect(err).To(MatchError(`pool: task gated: WithKey got 256 bytes: want at most 255`))
	whole(t, p)
}

func TestAnInitializersArgumentThatIsTooLargeIsAClearErrorOfNew(t *testing.T) {
	_, err := pool.New(bound(t), pool.Config{Size: 1, Initializer: setState.With(strings.Repeat("x", 5<<20))})
	NewWithT(t).Expect(err).
		To(And(MatchError(pool.ErrPayloadTooLarge), MatchError(ContainSubstring(`initializer "set-state"`))))
}

func TestUnencodableValuesFailTheirCallersOnlyAndCostNoWorker(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	before := pids(p)
	var futures []*pool.Future[any]
	var good []*pool.Future[int]
	for i := range 100 {
		futures = append(futures, unencodable.Submit(bound(t), via(p), i))
		good = append(good, square.Submit(bound(t), via(p), i))
	}
	var enc *pool.EncodeError
	for i := range futures {
		_, err := futures[i].Result(bound(t))
		g.Expect(errors.As(err, &enc)).To(BeTrue(), "%v", err)
		g.Expect(good[i].Result(bound(t))).To(Equal(i * i))
	}
	g.Expect(pids(p)).To(Equal(before))
}

func TestUndecodableArgumentFailsThatTaskOnly(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	wide := pool.WithKey("k")
	_, err := picky.Call(bound(t), via(p), struct{ N uint8 }{7}, wide)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = disguised.Call(bound(t), via(p), 300)
	var enc *pool.EncodeError
	g.Expect(errors.As(err, &enc)).To(BeTrue(), "%v", err)
	g.Expect(enc.What).To(Equal("decode argument"))
	whole(t, p)
}

// disguised sends what its worker cannot decode.
var disguised = pool.RegisterCodec("disguised", lyingCodec{},
	func(_ context.Context, n int) (int, error) { return n, nil })

type lyingCodec struct{}

func (lyingCodec) Append(dst []byte, _ any) ([]byte, error) {
	return append(dst, "not what it seems"...), nil
}
func (lyingCodec) Decode([]byte, any) error { return errors.New("gibberish") }

func TestLargePayloadsArriveWhole(t *testing.T) {
	takes.Seconds(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 2})
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 64<<10 + 1, 1 << 20, fewer(100, 20) << 20} {
		b := bytes.Repeat([]byte{byte(n), 3, 5, 7}, n/4+1)[:n]
		got, err := echo.Call(bound(t), via(p), b)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(bytes.Equal(got, b)).To(BeTrue(), "%d bytes", n)
	}
	var futures []*pool.Future[[]byte]
	for i := range 16 {
		futures = append(futures, echo.Submit(bound(t), via(p), bytes.Repeat([]byte{byte(i)}, 1<<20)))
	}
	for i, f := range futures {
		got, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(bytes.Count(got, []byte{byte(i)})).To(Equal(1 << 20))
	}
}

func TestOversizedPayloadIsAClearErrorOnBothSides(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, MaxPayload: pool.MiB})
	_, err := echo.Call(bound(t), via(p), make([]byte, 2<<20))
	g.Expect(err).To(And(MatchError(pool.ErrPayloadTooLarge), MatchError(ContainSubstring(`argument of task "echo"`))))
	_, err = inflate.Call(bound(t), via(p), 2<<20)
	g.Expect(err).To(And(MatchError(pool.ErrPayloadTooLarge), MatchError(ContainSubstring("result"))))
	whole(t, p)
}

var inflate = pool.Register("inflate", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })

func TestInitializerRunsOncePerWorkerAndPerReplacement(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 2, Initializer: setState.With("x")})
	for slot, pid := range pids(p) {
		g.Expect(initialised.Call(bound(t), via(p), 0, pool.OnSlot(slot))).To(Equal("x"))
		kill(t, pid, 9)
		g.Expect(initialised.Call(bound(t), via(p), 0, pool.OnSlot(slot))).To(Equal("x"))
	}
}

func TestFailingInitializerMeansBoundedStartsAndItsErrorAsCause(t *testing.T) {
	g := NewWithT(t)
	files, _ := resources()
	for _, how := range []string{"fail", "exit"} {
		_, err := pool.New(bound(t),
			pool.Config{Size: 2, Initializer: setState.With(how), Backoff: pool.Backoff{Base: time.Millisecond}})
		g.Expect(err).To(MatchError(pool.ErrCrashLoop))
		var loop *pool.CrashLoopError
		g.Expect(errors.As(err, &loop)).To(BeTrue())
		g.Expect(loop.Failures).To(BeNumerically("<=", 10))
		var boot *pool.BootError
		g.Expect(errors.As(err, &boot)).To(BeTrue())
		if how == "fail" {
			var code *codeError
			g.Expect(errors.As(err, &code)).To(BeTrue(), "%v", err)
		} else {
			g.Expect(boot.Exit.Code).To(Equal(3))
		}
	}
	g.Eventually(func() int { n, _ := resources(); return n }).WithTimeout(10 * time.Second).
		Should(BeNumerically("<=", files))
	g.Expect(zombies()).To(BeEmpty())
}

func TestCancelledBeforeItStartsATaskNeverRuns(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	path := t.TempDir() + "/ran"
	busy := sleep.Submit(bound(t), via(p), 200*time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	f := touch.Submit(ctx, via(p), path)
	cancel()
	_, err := f.Result(bound(t))
	g.Expect(err).To(MatchError(context.Canceled))
	g.Expect(busy.Result(bound(t))).To(BeNumerically(">", 0))
	whole(t, p)
	g.Expect(path).NotTo(BeAnExistingFile())
}

var touch = pool.Register("touch", func(_ context.Context, path string) (int, error) {
	return 0, os.WriteFile(path, nil, 0o600)
})

func TestCancelWhileItRunsCancelsTheHandlersContextAndKeepsTheWorker(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	before := pids(p)
	ctx, cancel := context.WithCancelCause(t.Context())
	f := sleep.Submit(ctx, via(p), time.Minute)
	inPhase(t, p, 0, pool.PhaseRunning)
	cancel(errOwn)
	_, err := f.Result(bound(t))
	g.Expect(err).To(And(MatchError(context.Canceled), MatchError(errOwn)))
	whole(t, p)
	g.Expect(pids(p)).To(Equal(before))
	g.Expect(p.Stats().Late).To(BeEquivalentTo(1))
}

func TestCancelKillsTheWorkerOfAHandlerThatDoesNotReturn(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, CancelGrace: 50 * time.Millisecond})
	before := pids(p)
	ctx, cancel := context.WithCancel(t.Context())
	f := stubborn.Submit(ctx, via(p), time.Minute)
	inPhase(t, p, 0, pool.PhaseRunning)
	cancel()
	_, err := f.Result(bound(t))
	g.Expect(err).To(MatchError(context.Canceled))
	whole(t, p)
	g.Expect(pids(p)).NotTo(Equal(before))
	g.Expect(p.Workers()[0].LastExit.Reason).To(Equal(pool.ReasonCancel))
}

func TestFullQueueFailsOrBlocksUntilTheContext(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, QueueLimit: 2})
	release := sleep.Submit(bound(t), via(p), 300*time.Millisecond)
	inPhase(t, p, 0, pool.PhaseRunning)
	a, b := square.Submit(bound(t), via(p), 1), square.Submit(bound(t), via(p), 2)
	_, err := square.Call(bound(t), via(p), 3)
	g.Expect(err).To(MatchError(pool.ErrQueueFull))
	g.Expect(release.Result(bound(t))).To(BeNumerically(">", 0))
	g.Expect(a.Result(bound(t))).To(Equal(1))
	g.Expect(b.Result(bound(t))).To(Equal(4))

	q := start(t, pool.Config{Size: 1, QueueLimit: 1, QueueBlock: true})
	first := sleep.Submit(bound(t), via(q), 300*time.Millisecond)
	inPhase(t, q, 0, pool.PhaseRunning)
	square.Submit(bound(t), via(q), 1)
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = square.Call(short, via(q), 3)
	g.Expect(err).To(MatchError(context.DeadlineExceeded))
	g.Expect(square.Call(bound(t), via(q), 4)).To(Equal(16), "room came in time")
	g.Expect(first.Result(bound(t))).To(BeNumerically(">", 0))
}

func TestEnvironmentDirectoryAndOutput(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	t.Setenv("FLAVOUR", "cherry")
	var mu sync.Mutex
	var out, errs []string
	p := start(t, pool.Config{
		Size: 1, Env: []string{"FLAVOUR=plum", "RESPAWN_POOL=other"}, Dir: dir,
		Stdout: func(w string, line []byte) { mu.Lock(); defer mu.Unlock(); out = append(out, w+" "+string(line)) },
		Stderr: func(w string, line []byte) { mu.Lock(); defer mu.Unlock(); errs = append(errs, w+" "+string(line)) },
	})
	g.Expect(getenv.Call(bound(t), via(p), "FLAVOUR")).To(Equal("plum|"+dir), "not the parent's")
	g.Expect(getenv.Call(bound(t), via(p), "RESPAWN_POOL")).To(Equal(p.ID()+"|"+dir), "which is not for sale")
	g.Expect(getenv.Call(bound(t), via(p), "RESPAWN_WORKER")).To(HavePrefix("|"),
		"a program that a handler starts is no worker")
	g.Expect(say.Call(bound(t), via(p), "hello")).To(Equal(0))
	lines := func() string { mu.Lock(); defer mu.Unlock(); return strings.Join(append(out, errs...), "\n") }
	g.Eventually(lines).Should(Equal("Worker-1 out: hello\nWorker-1 hello"))
}

func TestPoolInAWorkerIsAnError(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	_, err := nested.Call(bound(t), via(p), 0)
	g.Expect(err).To(MatchError(pool.ErrInWorker))
	g.Expect(err).NotTo(MatchError(pool.ErrClosed))
}

func TestAPanicTellsFileAndLine(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for how, line := range map[string]string{
		"panic": "panic(\"oh no\")", "nil map": "noMap[how] = 1", "index": "_ = list[len(how)]",
		"nil": "return *n, nil",
	} {
		_, err := panics.Call(bound(t), p, how)
		var panicked *pool.PanicError
		g.Expect(errors.As(err, &panicked)).To(BeTrue(), how)
		file, number, _ := strings.Cut(panicked.At, ":")
		g.Expect(err).To(MatchError(ContainSubstring(" panicked at " + panicked.At + ": ")))
		source, readErr := os.ReadFile(file)
		g.Expect(readErr).NotTo(HaveOccurred())
		n, _ := strconv.Atoi(number)
		g.Expect(strings.TrimSpace(strings.Split(string(source), "\n")[n-1])).To(Equal(line), how)
	}
}

var noMap map[string]int

var panics = pool.Register("panics", func(_ context.Context, how string) (int, error) {
	var n *int
	var list []int
	switch how {
	case "panic":
		panic("oh no")
	case "nil map":
		noMap[how] = 1
	case "index":
		_ = list[len(how)]
	}
	return *n, nil
})

var nested = pool.Register("nested", func(ctx context.Context, _ int) (int, error) {
	_, err := pool.New(ctx, pool.Config{Size: 1})
	return 0, err
})

func TestTaskRegisteredLateIsAClearError(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	late := pool.Register("late-"+t.Name(), func(context.Context, int) (int, error) { return 0, nil })
	_, err := late.Call(bound(t), via(p), 0)
	g.Expect(err).To(MatchError(pool.ErrUnknownTask))
	whole(t, p)
}

func TestUnknownSlotIsAClearError(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for _, slot := range []int{5, -1, 1 << 32, math.MaxInt, math.MinInt} {
		_, err := square.Call(bound(t), via(p), 0, pool.OnSlot(slot))
		g.Expect(err).To(MatchError(pool.ErrNoSuchSlot), "slot %d", slot)
	}
}

func TestAFullQueueSaysWhichLimitAndWhatHelps(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, QueueLimit: 1})
	sleep.Submit(bound(t), via(p), time.Minute)
	inPhase(t, p, 0, pool.PhaseRunning)
	square.Submit(bound(t), via(p), 1)
	_, err := square.Call(bound(t), via(p), 1)
	g.Expect(err).To(And(MatchError(pool.ErrQueueFull), MatchError(ContainSubstring("QueueLimit is 1")),
		MatchError(ContainSubstring("QueueBlock"))))
}

// touchy is an error whose decoder panics.
type touchy struct{ b []byte }

func (*touchy) Error() string                  { return "touchy" }
func (*touchy) MarshalCBOR() ([]byte, error)   { return []byte{0x41, 7}, nil }
func (t *touchy) UnmarshalCBOR(b []byte) error { t.b = b[9:]; return nil }

var (
	_       = pool.RegisterError[*touchy]("touchy")
	touchIt = pool.Register("touch-it", func(context.Context, int) (int, error) { return 0, &touchy{} })
)

func TestAPanicInTheDecodingOfAnErrorDoesNotEndTheHost(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	_, err := touchIt.Call(bound(t), via(p), 0)
	var handler *pool.HandlerError
	g.Expect(errors.As(err, &handler)).To(BeTrue())
	g.Expect(handler.Message).To(Equal("touchy"))
	whole(t, p)
}

// Whichever way a task is asked for, its caller learns that the context ended and why.
func TestACancelledContextIsToldAlikeEverywhere(t *testing.T) {
	p := start(t, pool.Config{Size: 1, QueueLimit: 1, QueueBlock: true})
	item := func(s iter.Seq2[int, error]) (last error) {
		for _, err := range s {
			last = err
		}
		return last
	}
	for name, ask := range map[string]func(ctx context.Context, t *testing.T) error{
		"Call": func(ctx context.Context, _ *testing.T) error {
			_, err := sleep.Call(ctx, via(p), time.Minute)
			return err
		},
		"Submit": func(ctx context.Context, t *testing.T) error {
			_, err := sleep.Submit(ctx, via(p), time.Minute).Result(t.Context())
			return err
		},
		"Result": func(ctx context.Context, t *testing.T) error { return waitFor(ctx, t, p) },
		"Map": func(ctx context.Context, _ *testing.T) error {
			_, err := sleep.Map(ctx, via(p), make([]time.Duration, 1))
			return err
		},
		"Stream": func(ctx context.Context, _ *testing.T) error { return item(sleep.Stream(ctx, via(p), endless)) },
		"StreamUnordered": func(ctx context.Context, _ *testing.T) error {
			return item(sleep.StreamUnordered(ctx, via(p), endless))
		},
		"Drain": func(ctx context.Context, t *testing.T) error {
			// of the pool itself: what comes by a fleet may not be there yet
			q := start(t, pool.Config{Size: 1})
			sleep.Submit(bound(t), q, time.Minute)
			defer q.Terminate()
			return q.Drain(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			done, cancel := context.WithCancelCause(t.Context())
			cancel(errOwn)
			g.Expect(ask(done, t)).To(And(MatchError(context.Canceled), MatchError(errOwn)), "cancelled before")

			if name == "Map" {
				return // it has no input that takes long
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(errOwn) })
			g.Expect(ask(ctx, t)).To(And(MatchError(context.Canceled), MatchError(errOwn)), "cancelled meanwhile")

			bounded, cancelBounded := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancelBounded()
			g.Expect(ask(bounded, t)).To(MatchError(context.DeadlineExceeded.Error()), "without a cause of its own")
		})
	}
}

// endless sleeps.
func endless(yield func(time.Duration, error) bool) {
	for yield(time.Minute, nil) {
	}
}

// waitFor waits for a task that goes on when ctx ends.
func waitFor(ctx context.Context, t *testing.T, p *pool.Pool) error {
	run, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := sleep.Submit(run, via(p), time.Minute).Result(ctx)
	return err
}

// The context ends about when the last input is handed in, so that the stream may end with an error of its own after
// it.
func TestMapNamesNoItemThatItWasNotGiven(t *testing.T) {
	g := NewWithT(t)
	cfg, _ := pool.InProcess(pool.Config{Size: 1})
	p := start(t, cfg)
	for n := range 5000 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(n%200)*time.Microsecond, cancel)
		_, err := square.Map(ctx, via(p), []int{1})
		if err != nil {
			g.Expect(err.Error()).NotTo(ContainSubstring("item 1"))
		}
		cancel()
	}
}

// The consumer is waiting for the first outcome when the input hands in an item and ends the context.
func TestACancelledStreamYieldsEveryItemThatWasSubmitted(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		var got []error
		for _, err := range sleep.Stream(ctx, via(p), func(yield func(time.Duration, error) bool) {
			yield(time.Minute, nil)
			cancel()
		}) {
			got = append(got, err)
		}
		g.Expect(got).To(HaveExactElements(MatchError(context.Canceled), MatchError(context.Canceled)),
			"the item's outcome, then the stream's")
	}
}

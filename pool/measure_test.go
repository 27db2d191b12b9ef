package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

var (
	measuredSleep = Register("measured-sleep", func(_ context.Context, ms int) (int, error) {
		<-time.After(time.Duration(ms) * time.Millisecond)
		return ms, nil
	})
	measuredFail = Register("measured-fail", func(context.Context, int) (int, error) { return 0, errors.New("no") })
	measuredEcho = Register("measured-echo", func(_ context.Context, n int) (int, error) { return n, nil })
)

func measured(t *testing.T, cfg Config) *Pool {
	p, err := New(t.Context(), cfg)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Terminate)
	return p
}

func TestTimesAreMeasuredByTaskAndInAll(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 1, Measure: true})
	fs := []*Future[int]{measuredSleep.Submit(t.Context(), p, 20), measuredSleep.Submit(t.Context(), p, 20), measuredFail.Submit(t.Context(), p, 0)}
	for _, f := range fs {
		<-f.Done()
	}
	s := p.Stats()
	g.Expect(s.Tasks).To(HaveLen(2))
	sleep, fail := s.Tasks["measured-sleep"], s.Tasks["measured-fail"]
	g.Expect([]uint64{sleep.OK, sleep.Failed, sleep.Run.Count(), sleep.Queue.Count(), sleep.Total.Count()}).To(HaveEach(Or(Equal(uint64(2)), BeZero())))
	g.Expect(sleep.Run.Sum).To(BeNumerically(">=", 40*time.Millisecond))
	g.Expect(sleep.Total.Sum).To(BeNumerically(">=", sleep.Run.Sum))
	g.Expect(sleep.Run.Quantile(0.5)).To(BeNumerically(">=", 20*time.Millisecond))
	g.Expect(fail.Failed).To(BeEquivalentTo(1))
	g.Expect(fail.Total.Sum).To(BeNumerically(">=", 40*time.Millisecond), "it waited for both")
	g.Expect(s.Total.Total.Count()).To(BeEquivalentTo(3))
}

func TestTinyTasksCountForThoseThatAreNotLookedAt(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 1, Measure: true})
	const n = 20_000
	_, err := measuredEcho.Map(t.Context(), p, make([]int, n))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(p.Stats().Tasks["measured-echo"].OK).To(BeNumerically("~", n, n/5))
}

func TestNothingIsMeasuredThatNobodyAskedFor(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 1})
	f := measuredEcho.Submit(context.Background(), p, 1)
	<-f.Done()
	g.Expect(f.call.extra).To(BeNil())
	g.Expect(p.Stats().Total).To(BeZero())
	g.Expect(p.Stats().Tasks).To(BeNil())
}

func TestOutcomesReachWhoeverHasNoFuture(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 2})
	var o Outcome
	_, err := measuredSleep.Call(t.Context(), p, 5, WithOutcome(func(told Outcome) { o = told }))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(o.Attempts).To(Equal(1))
	g.Expect(o.TaskID).To(BeEquivalentTo(1))
	g.Expect(o.Run).To(BeNumerically(">=", 5*time.Millisecond))
	g.Expect(o.Total).To(BeNumerically(">=", o.Run))
	g.Expect([]int{p.Workers()[0].PID, p.Workers()[1].PID}).To(ContainElement(o.PID))

	var mu sync.Mutex
	var ids []uint64
	note := WithOutcome(func(o Outcome) { mu.Lock(); defer mu.Unlock(); ids = append(ids, o.TaskID) })
	_, err = measuredEcho.Map(t.Context(), p, make([]int, 50), note)
	g.Expect(err).NotTo(HaveOccurred())
	for _, err := range measuredEcho.Stream(t.Context(), p, Slice(make([]int, 50)), note) {
		g.Expect(err).NotTo(HaveOccurred())
	}
	slices.Sort(ids)
	g.Expect(slices.Compact(ids)).To(HaveLen(100))
}

func TestWorkersThatEndAreCountedByReason(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 1, MaxTasks: 1, TaskTimeout: 50 * time.Millisecond})
	_, err := measuredEcho.Call(t.Context(), p, 1)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = measuredSleep.Call(t.Context(), p, 60_000)
	g.Expect(err).To(HaveOccurred())
	g.Eventually(func() []uint64 { s := p.Stats(); return []uint64{s.Recycled, s.TimedOut, s.Stalled} }).Should(HaveExactElements(uint64(1), uint64(1), uint64(0)))
	g.Expect(p.Stats().Ended(ReasonTimeout)).To(BeEquivalentTo(1))
}

func TestAHistogramsBucketsDouble(t *testing.T) {
	g := NewWithT(t)
	for _, d := range []time.Duration{0, 1, time.Microsecond, time.Microsecond + 1, 3 * time.Millisecond, time.Minute, time.Hour} {
		var h Histogram
		h.add(d, 1)
		at := slices.Index(h.Counts[:], 1)
		g.Expect(d).To(BeNumerically("<=", HistogramBound(at)))
		if at > 0 {
			g.Expect(d).To(BeNumerically(">", HistogramBound(at-1)))
		}
	}
}

// BenchmarkMeasured compares tiny tasks with and without: go test ./pool -bench Measured -count 10 -run '^$'.
func BenchmarkMeasured(b *testing.B) {
	for name, measure := range map[string]bool{"off": false, "on": true} {
		b.Run(name, func(b *testing.B) {
			p, err := New(b.Context(), Config{Size: 2, Measure: measure})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			in := make([]int, 50_000)
			for b.Loop() {
				if _, err := measuredEcho.Map(b.Context(), p, in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(in))/b.Elapsed().Seconds(), "tasks/s")
		})
	}
}

var measuredMeta = Register("measured-meta", func(ctx context.Context, key string) ([]string, error) {
	at, has := ctx.Deadline()
	return []string{Meta(ctx)["trace"], fmt.Sprint(has, time.Until(at) > time.Minute), Key(ctx)}, nil
})

func TestWordsAndTheDeadlineTravelWithATask(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 1})
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	g.Expect(measuredMeta.Call(ctx, p, "", WithMeta(map[string]string{"trace": "t1"}), WithKey("k"))).To(HaveExactElements("t1", "true true", "k"))
	g.Expect(measuredMeta.Call(context.Background(), p, "", WithKey("\x00k"))).To(HaveExactElements("", "false false", "\x00k"))
	got, err := measuredMeta.Call(ctx, p, "")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got[1]).To(Equal("true true"))
	g.Expect(got[2]).To(HaveSuffix("-3"), "a key of its own")
	_, err = measuredMeta.Call(ctx, p, "", WithMeta(map[string]string{"trace": strings.Repeat("x", maxMeta)}))
	g.Expect(err).To(MatchError(ContainSubstring("want at most 1024")))
}

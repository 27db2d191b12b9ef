package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
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
	fs := []*Future[int]{
		measuredSleep.Submit(t.Context(), p, 20), measuredSleep.Submit(t.Context(), p, 20),
		measuredFail.Submit(t.Context(), p, 0),
	}
	for _, f := range fs {
		<-f.Done()
	}
	s := p.Stats()
	g.Expect(s.Tasks).To(HaveLen(2))
	sleep, fail := s.Tasks["measured-sleep"], s.Tasks["measured-fail"]
	g.Expect([]uint64{sleep.OK, sleep.Failed, sleep.Run.Count(), sleep.Queue.Count(), sleep.Total.Count()}).
		To(HaveExactElements(uint64(2), uint64(0), uint64(2), uint64(2), uint64(2)))
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

func TestAnOutcomeIsToldBeforeItsValueIsThereAndToAllWhoAsked(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 1})
	told, held := make(chan int, 2), make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	defer release()
	f := measuredEcho.Submit(t.Context(), p, 1,
		WithOutcome(func(o Outcome) { told <- o.Attempts }),
		WithOutcome(func(o Outcome) { told <- o.Attempts; <-held }))
	g.Expect([]int{<-told, <-told}).To(Equal([]int{1, 1}))
	g.Consistently(f.Done(), 50*time.Millisecond).ShouldNot(BeClosed())
	release()
	g.Eventually(f.Done()).WithTimeout(time.Minute).Should(BeClosed())
}

func TestWorkersThatEndAreCountedByReason(t *testing.T) {
	g := NewWithT(t)
	p := measured(t, Config{Size: 1, MaxTasks: 1, TaskTimeout: 50 * time.Millisecond})
	_, err := measuredEcho.Call(t.Context(), p, 1)
	g.Expect(err).NotTo(HaveOccurred())
	_, err = measuredSleep.Call(t.Context(), p, 60_000)
	g.Expect(err).To(HaveOccurred())
	g.Eventually(func() []uint64 { s := p.Stats(); return []uint64{s.Recycled, s.TimedOut, s.Stalled} }).
		WithTimeout(time.Minute).Should(HaveExactElements(uint64(1), uint64(1), uint64(0)))
	g.Expect(p.Stats().Ended(ReasonTimeout)).To(BeEquivalentTo(1))
}

func TestAHistogramsBucketsDouble(t *testing.T) {
	g := NewWithT(t)
	for _, d := range []time.Duration{
		0, 1, time.Microsecond, time.Microsecond + 1, 3 * time.Millisecond, time.Minute, time.Hour,
	} {
		var h Histogram
		h.add(d, 1)
		at := slices.Index(h.Counts[:], 1)
		g.Expect(d).To(BeNumerically("<=", HistogramBound(at)))
		if at > 0 {
			g.Expect(d).To(BeNumerically(">", HistogramBound(at-1)))
		}
	}
}

// BenchmarkMeasured has tiny tasks with and without, by turns: in each round a pool that does not measure, one that
// does, and another that does not, which shows what differs by chance. It reports what the second and the third took of
// the first's time, and of the CPU time of this process, as the median of all rounds and the tenths that it lies
// between:
//
//	go test ./pool -run '^$' -bench Measured -benchtime 200x
func BenchmarkMeasured(b *testing.B) {
	g := NewWithT(b)
	var pools [3]*Pool
	for i := range pools {
		p, err := New(b.Context(), Config{Size: 2, Measure: i == 1})
		g.Expect(err).NotTo(HaveOccurred())
		defer p.Terminate()
		pools[i] = p
	}
	in := make([]int, 50_000)
	run := func(p *Pool) (wall, cpu float64) {
		var before, after syscall.Rusage
		g.Expect(syscall.Getrusage(syscall.RUSAGE_SELF, &before)).To(Succeed())
		began := monotonic()
		_, err := measuredEcho.Map(b.Context(), p, in)
		wall = (monotonic() - began).Seconds()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(syscall.Getrusage(syscall.RUSAGE_SELF, &after)).To(Succeed())
		of := func(r syscall.Rusage) int64 { return r.Utime.Nano() + r.Stime.Nano() }
		return wall, float64(of(after)-of(before)) / 1e9
	}
	for _, p := range pools {
		run(p)
	}
	ratios := map[string][]float64{}
	for round := 0; b.Loop(); round++ {
		var wall, cpu [3]float64
		for i := range pools {
			k := (i + round) % len(pools)
			wall[k], cpu[k] = run(pools[k])
		}
		for k, name := range []string{1: "on/off", 2: "off/off"} {
			if k > 0 {
				ratios[name] = append(ratios[name], wall[k]/wall[0])
				ratios[name+"-cpu"] = append(ratios[name+"-cpu"], cpu[k]/cpu[0])
			}
		}
	}
	for name, all := range ratios {
		slices.Sort(all)
		for tenth, suffix := range map[int]string{1: "-p10", 5: "", 9: "-p90"} {
			b.ReportMetric(all[len(all)*tenth/10], name+suffix)
		}
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
	g.Expect(measuredMeta.Call(ctx, p, "", WithMeta(map[string]string{"trace": "t1"}), WithKey("k"))).
		To(HaveExactElements("t1", "true true", "k"))
	g.Expect(measuredMeta.Call(context.Background(), p, "", WithKey("\x00k"))).
		To(HaveExactElements("", "false false", "\x00k"))
	got, err := measuredMeta.Call(ctx, p, "")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(got[1]).To(Equal("true true"))
	g.Expect(got[2]).To(HaveSuffix("-3"), "a key of its own")
	_, err = measuredMeta.Call(ctx, p, "", WithMeta(map[string]string{"trace": strings.Repeat("x", maxMeta)}))
	g.Expect(err).To(MatchError(ContainSubstring("want at most 1024")))
}

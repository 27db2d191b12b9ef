package pool_test

import (
	"context"
	"iter"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// Whichever way a task is asked for, its caller learns that the context ended and why.
func TestACancelledContextIsToldAlikeEverywhere(t *testing.T) {
	p := start(t, pool.Config{Size: 1, QueueLimit: 1, QueueBlock: true})
	item := func(s iter.Seq2[int, error]) (last error) {
		for _, err := range s {
			last = err
		}
		return last
	}
	for name, ask := range map[string]func(ctx context.Context) error{
		"Call": func(ctx context.Context) error { _, err := sleep.Call(ctx, via(p), time.Minute); return err },
		"Submit": func(ctx context.Context) error {
			_, err := sleep.Submit(ctx, via(p), time.Minute).Result(t.Context())
			return err
		},
		"Result": func(ctx context.Context) error { return waitFor(ctx, t, p) },
		"Map": func(ctx context.Context) error {
			_, err := sleep.Map(ctx, via(p), make([]time.Duration, 1))
			return err
		},
		"Stream":          func(ctx context.Context) error { return item(sleep.Stream(ctx, via(p), endless)) },
		"StreamUnordered": func(ctx context.Context) error { return item(sleep.StreamUnordered(ctx, via(p), endless)) },
		"Drain": func(ctx context.Context) error {
			q := start(t, pool.Config{Size: 1})
			sleep.Submit(bound(t), via(q), time.Minute)
			defer q.Terminate()
			return q.Drain(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			done, cancel := context.WithCancelCause(t.Context())
			cancel(errOwn)
			g.Expect(ask(done)).To(And(MatchError(context.Canceled), MatchError(errOwn)), "cancelled before")

			if name == "Map" {
				return // it has no input that takes long
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(errOwn) })
			g.Expect(ask(ctx)).To(And(MatchError(context.Canceled), MatchError(errOwn)), "cancelled meanwhile")

			bounded, cancelBounded := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancelBounded()
			g.Expect(ask(bounded)).To(MatchError(context.DeadlineExceeded.Error()), "without a cause of its own")
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

// The context ends about when the last input is handed in, so that the stream may end with an error of its own after it.
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
		g.Expect(got).To(HaveExactElements(MatchError(context.Canceled), MatchError(context.Canceled)), "the item's outcome, then the stream's")
	}
}

package pooltest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onsi/gomega/types"

	"github.com/respawn-go/respawn/pool"
)

// HaveReady succeeds when exactly n workers of a *pool.Pool take tasks. Use it with Eventually, or after RecoverWithin.
func HaveReady(n int) types.GomegaMatcher {
	return matcher(func(p *pool.Pool) (bool, string) {
		ready := p.Stats().Ready
		return ready == n, fmt.Sprintf("have %d ready workers; it has %d", n, ready)
	})
}

// HaveTurnedOver succeeds when exactly n of the pool's slots have another worker than they had before, by name and pid,
// and all of them are ready. before is what Pool.Workers returned then; the pool's size must be the same.
func HaveTurnedOver(before []pool.WorkerInfo, n int) types.GomegaMatcher {
	return matcher(func(p *pool.Pool) (bool, string) {
		now := p.Workers()
		was := make(map[int]pool.WorkerInfo, len(before))
		for _, w := range before {
			was[w.Slot] = w
		}
		renewed, ready := 0, 0
		for _, w := range now {
			if old := was[w.Slot]; old.Name != w.Name && old.PID != w.PID {
				renewed++
			}
			if w.State == pool.Ready {
				ready++
			}
		}
		return renewed == n && ready == len(before) && len(now) == len(before),
			fmt.Sprintf("have %d new and %d old workers; it has %d new ones, %d of all ready, in %v; before %v",
				n, len(before)-n, renewed, ready, now, before)
	})
}

// HaveSettledAll succeeds when every task that the pool accepted has its outcome.
func HaveSettledAll() types.GomegaMatcher {
	return matcher(func(p *pool.Pool) (bool, string) {
		s := p.Stats()
		return s.Submitted == s.Settled, fmt.Sprintf("have settled all %d tasks; %d are not: %d queued, %d in flight",
			s.Submitted, s.Submitted-s.Settled, s.Queued, s.InFlight)
	})
}

// RecoverWithin succeeds when within d every slot of the pool has a ready worker and that worker has answered a probe.
// It waits itself: use it with Expect.
func RecoverWithin(d time.Duration) types.GomegaMatcher {
	return matcher(func(p *pool.Pool) (bool, string) {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		err := Probe(ctx, p)
		return err == nil, fmt.Sprintf("recover within %v: %v", d, err)
	})
}

// poolMatcher matches pools. It says what it found in its own words, because gomega would print the pool with all that
// it refers to.
type poolMatcher struct {
	match func(p *pool.Pool) (ok bool, want string)
	want  string
}

func matcher(match func(p *pool.Pool) (ok bool, want string)) types.GomegaMatcher {
	return &poolMatcher{match: match}
}

func (m *poolMatcher) Match(actual any) (ok bool, err error) {
	p, isPool := actual.(*pool.Pool)
	if !isPool || p == nil {
		return false, fmt.Errorf("want a *pool.Pool that is not nil, got %T", actual)
	}
	ok, m.want = m.match(p)
	return ok, nil
}

func (m *poolMatcher) FailureMessage(any) string { return "Expected the pool to " + m.want }

func (m *poolMatcher) NegatedFailureMessage(any) string { return "Expected the pool not to " + m.want }

var probe = pool.Register("respawn/pooltest.probe", func(_ context.Context, n int) (int, error) { return ^n, nil })

// Probe has every slot answer a task, waiting for replacements where there is no worker just now. It returns nil when
// all have answered rightly and are ready, or says which slots have not by the time ctx is done.
func Probe(ctx context.Context, p *pool.Pool) error {
	futures := make([]*pool.Future[int], p.Size())
	for slot := range futures {
		futures[slot] = probe.Submit(ctx, p, slot, pool.OnSlot(slot))
	}
	var errs []error
	for slot, f := range futures {
		v, err := f.Result(ctx)
		if err == nil && v != ^slot {
			err = fmt.Errorf("answered %d, want %d", v, ^slot)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("slot %d: %w", slot, err))
		}
	}
	if ready := p.Stats().Ready; len(errs) == 0 && ready != len(futures) {
		errs = append(errs, fmt.Errorf("every slot answered, and now %d of %d are ready", ready, len(futures)))
	}
	return errors.Join(errs...)
}

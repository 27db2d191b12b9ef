package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/internal/floor"
	"github.com/respawn-go/respawn/pool"
)

const (
	tasksPerRun     = 1_000_000
	callersPerRun   = 250_000
	callers         = 64
	roundtripPerRun = 5_000
	pipePerRun      = 4_000_000
	ahead           = 4096    // futures that the single submitter leaves open
	wide            = 1 << 40 // added to arguments, so that they and their squares take eight bytes
)

// measureTasks is one goroutine that submits task by task and collects every future.
func measureTasks(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	if _, err := flood(ctx, p, tasksPerRun/4, nil); err != nil { // warm
		return err
	}
	var rate, raw, python []float64
	err = s.each(ctx, func() error {
		took, err := floor.Pipe(ctx, pipePerRun)
		if err != nil {
			return err
		}
		raw = append(raw, pipePerRun/took.Seconds())
		if took, err = flood(ctx, p, tasksPerRun, nil); err != nil {
			return err
		}
		rate = append(rate, tasksPerRun/took.Seconds())
		if r, err := cpythonRate(ctx); err == nil {
			python = append(python, r)
		}
		return nil
	})
	s.Floor.PipeTasksS, s.Pool.TasksS, s.Environment.CPythonPool = median(raw), median(rate), median(python)
	if len(python) == 0 {
		s.note("no python3: CPython's pool was not measured")
	}
	return err
}

// flood submits n tasks from one goroutine, collects and checks every result, and calls tenth after each tenth.
func flood(ctx context.Context, p *pool.Pool, n int, tenth func()) (time.Duration, error) {
	var open [ahead]*pool.Future[int]
	collect := func(i int) error {
		v, err := open[i%ahead].Result(ctx)
		if err == nil && v != (i+wide)*(i+wide) {
			err = fmt.Errorf("task %d answered %d", i, v)
		}
		return err
	}
	began := time.Now()
	for i := range n {
		if i >= ahead {
			if err := collect(i - ahead); err != nil {
				return 0, err
			}
		}
		open[i%ahead] = work.Square.Submit(context.Background(), p, i+wide)
		if tenth != nil && (i+1)%(n/10) == 0 {
			tenth()
		}
	}
	for i := max(n-ahead, 0); i < n; i++ {
		if err := collect(i); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// measureCallers is 64 goroutines that each call and wait.
func measureCallers(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	var rate []float64
	if _, err := call(ctx, p, callersPerRun/4); err != nil { // warm
		return err
	}
	err = s.each(ctx, func() error {
		took, err := call(ctx, p, callersPerRun)
		rate = append(rate, callersPerRun/took.Seconds())
		return err
	})
	s.Pool.TasksS64 = median(rate)
	return err
}

// call has the callers make n calls together.
func call(ctx context.Context, p *pool.Pool, n int) (time.Duration, error) {
	var wg sync.WaitGroup
	errs := make(chan error, callers)
	began := time.Now()
	for c := range callers {
		wg.Go(func() {
			for i := c; i < n; i += callers {
				v, err := work.Square.Call(ctx, p, i+wide)
				if err == nil && v != (i+wide)*(i+wide) {
					err = fmt.Errorf("task %d answered %d", i, v)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	select {
	case err := <-errs:
		return took, err
	default:
		return took, nil
	}
}

// measureRoundtrip is one call at a time, and beside it the raw socket pair.
func measureRoundtrip(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	var p50, p99, raw []float64
	err = s.each(ctx, func() error {
		ping, err := floor.PingPong(ctx, roundtripPerRun)
		if err != nil {
			return err
		}
		trips, err := trips(ctx, p, roundtripPerRun)
		if err != nil {
			return err
		}
		raw = append(raw, us(median(ping)))
		p50, p99 = append(p50, us(median(trips))), append(p99, us(quantile(trips, 0.99)))
		return nil
	})
	s.Floor.PingPongUS, s.Pool.RoundtripUS, s.Pool.RoundtripP99US = median(raw), median(p50), median(p99)
	return err
}

// trips times n calls, one after the other.
func trips(ctx context.Context, p *pool.Pool, n int) ([]time.Duration, error) {
	samples := make([]time.Duration, 0, n)
	for i := range n {
		began := time.Now()
		v, err := work.Square.Call(ctx, p, i+wide)
		samples = append(samples, time.Since(began))
		if err == nil && v != (i+wide)*(i+wide) {
			err = fmt.Errorf("task %d answered %d", i, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return samples, nil
}

package bench

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/internal/floor"
	"github.com/respawn-go/respawn/internal/monotonic"
	"github.com/respawn-go/respawn/pool"
)

// killsPerRun is how often each kind of recovery is measured in a run.
const killsPerRun = 15

// measureRecovery kills workers and times what comes after, and does the same with raw processes.
func measureRecovery(ctx context.Context, s *session) error {
	plain, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer plain.Terminate()
	spared, err := newPool(ctx, pool.Config{Size: workers, Spares: 1})
	if err != nil {
		return err
	}
	defer spared.Terminate()
	figures := []struct {
		into *float64
		take func(turn int) (time.Duration, error)
		runs []float64
	}{
		{&s.Floor.SpawnMS, one(ctx, floor.Spawn), nil},
		{&s.Floor.ReapMS, one(ctx, floor.Reap), nil},
		{&s.Floor.RespawnMS, one(ctx, floor.Respawn), nil},
		{&s.Pool.RespawnMS, func(turn int) (time.Duration, error) { return respawn(ctx, plain, turn%workers, 0) }, nil},
		{
			&s.Pool.RespawnSpareMS,
			func(turn int) (time.Duration, error) { return respawn(ctx, spared, turn%workers, 1) }, nil,
		},
		{&s.Pool.RequeueMS, func(int) (time.Duration, error) { return requeue(ctx, plain) }, nil},
	}
	return s.each(ctx, func() error {
		samples := make([][]time.Duration, len(figures))
		for turn := range killsPerRun { // in turns: whoever else uses the machine disturbs all of them alike
			for i := range figures {
				took, err := figures[i].take(turn)
				if err != nil {
					return err
				}
				samples[i] = append(samples[i], took)
			}
		}
		for i := range figures {
			f := &figures[i]
			f.runs = append(f.runs, ms(median(samples[i])))
			*f.into = median(f.runs)
		}
		return nil
	})
}

// rest is how long nothing happens before each sample, so that none pays for what the one before it left to do.
const rest = 5 * time.Millisecond

// one takes a single sample of a floor.
func one(ctx context.Context,
	measure func(context.Context, int, time.Duration) ([]time.Duration, error),
) func(int) (time.Duration, error) {
	return func(int) (time.Duration, error) {
		samples, err := measure(ctx, 1, rest)
		return median(samples), err
	}
}

// respawn times from SIGKILL of an idle worker until its slot's next one has answered.
func respawn(ctx context.Context, p *pool.Pool, slot, spares int) (time.Duration, error) {
	if err := settled(ctx, p, spares); err != nil {
		return 0, err
	}
	w, _ := inSlot(p, slot)
	kill, err := aim(p, w)
	if err != nil {
		return 0, err
	}
	time.Sleep(rest)
	began := time.Now()
	if err := kill(); err != nil {
		return 0, err
	}
	for pid := w.PID; pid == w.PID; { // it may still have answered before it died
		if pid, err = probe(ctx, p, slot); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// requeue times from SIGKILL of a busy worker until another one has started its task.
func requeue(ctx context.Context, p *pool.Pool) (time.Duration, error) {
	if err := settled(ctx, p, 0); err != nil {
		return 0, err
	}
	f := work.StartedAt.Submit(ctx, p, 0)
	var busy pool.WorkerInfo
	if err := until(ctx, func() bool { return running(p, &busy) }); err != nil {
		return 0, err
	}
	kill, err := aim(p, busy)
	if err != nil {
		return 0, err
	}
	time.Sleep(rest)
	began := monotonic.Now()
	if err := kill(); err != nil {
		return 0, err
	}
	at, err := f.Result(ctx)
	return time.Duration(at - began), err
}

// running finds a worker that runs a task.
func running(p *pool.Pool, found *pool.WorkerInfo) bool {
	for _, w := range p.Workers() {
		if w.State == pool.Ready && w.Phase == pool.PhaseRunning {
			*found = w
			return true
		}
	}
	return false
}

// settled waits until every slot has a ready worker and every spare is on its bench.
func settled(ctx context.Context, p *pool.Pool, spares int) error {
	return until(ctx,
		func() bool { s := p.Stats(); return s.Ready == p.Size() && s.Spares == spares && s.Starting == 0 })
}

package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/internal/floor"
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
		take func() ([]time.Duration, error)
		runs []float64
	}{
		{&s.Floor.SpawnMS, func() ([]time.Duration, error) { return floor.Spawn(ctx, killsPerRun) }, nil},
		{&s.Floor.ReapMS, func() ([]time.Duration, error) { return floor.Reap(ctx, killsPerRun) }, nil},
		{&s.Floor.RespawnMS, func() ([]time.Duration, error) { return floor.Respawn(ctx, killsPerRun) }, nil},
		{&s.Pool.RespawnMS, func() ([]time.Duration, error) { return respawns(ctx, plain, 0) }, nil},
		{&s.Pool.RespawnSpareMS, func() ([]time.Duration, error) { return respawns(ctx, spared, 1) }, nil},
		{&s.Pool.RequeueMS, func() ([]time.Duration, error) { return requeues(ctx, plain) }, nil},
	}
	return s.each(ctx, func() error {
		for i := range figures {
			f := &figures[i]
			samples, err := f.take()
			if err != nil {
				return err
			}
			f.runs = append(f.runs, ms(median(samples)))
			*f.into = median(f.runs)
		}
		return nil
	})
}

// respawns times from SIGKILL of an idle worker until its slot's next one has answered.
func respawns(ctx context.Context, p *pool.Pool, spares int) ([]time.Duration, error) {
	samples := make([]time.Duration, 0, killsPerRun)
	for i := range killsPerRun {
		if err := settled(ctx, p, spares); err != nil {
			return nil, err
		}
		slot := i % workers
		w, _ := inSlot(p, slot)
		began := time.Now()
		if !kill(p, w) {
			return nil, fmt.Errorf("could not kill %v", w)
		}
		for pid := w.PID; pid == w.PID; { // it may still have answered before it died
			var err error
			if pid, err = probe(ctx, p, slot); err != nil {
				return nil, err
			}
		}
		samples = append(samples, time.Since(began))
	}
	return samples, nil
}

// requeues times from SIGKILL of a busy worker until another one has started its task.
func requeues(ctx context.Context, p *pool.Pool) ([]time.Duration, error) {
	samples := make([]time.Duration, 0, killsPerRun)
	for range killsPerRun {
		if err := settled(ctx, p, 0); err != nil {
			return nil, err
		}
		f := work.StartedAt.Submit(ctx, p, 0)
		var busy pool.WorkerInfo
		if err := until(ctx, func() bool { return running(p, &busy) }); err != nil {
			return nil, err
		}
		began := work.Now()
		if !kill(p, busy) {
			return nil, fmt.Errorf("could not kill %v", busy)
		}
		at, err := f.Result(ctx)
		if err != nil {
			return nil, err
		}
		samples = append(samples, time.Duration(at-began))
	}
	return samples, nil
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
	return until(ctx, func() bool { s := p.Stats(); return s.Ready == p.Size() && s.Spares == spares && s.Starting == 0 })
}

package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/pool"
)

const (
	many        = 1000
	killAtOnce  = 100
	manyTasks   = 5000
	pssSamples  = 50
	scaleWithin = 2 * time.Minute // a run that takes longer has failed
)

// measureScale starts a thousand workers, weighs them, and kills a hundred at once under load.
func measureScale(ctx context.Context, s *session) error {
	var start, pss, back []float64
	random := rand.New(rand.NewPCG(s.Seed, 1))
	err := s.each(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, scaleWithin)
		defer cancel()
		began := time.Now()
		p, err := pool.New(ctx, pool.Config{Size: many})
		if err != nil {
			return err
		}
		defer p.Terminate()
		start = append(start, time.Since(began).Seconds())
		kb, err := idleWeight(p)
		if err != nil {
			return err
		}
		pss = append(pss, kb)
		took, err := s.decimate(ctx, p, random)
		back = append(back, took.Seconds())
		return err
	})
	s.Pool.Start1000S, s.Pool.WorkerPSSKB = median(start), median(pss)
	if err == nil {
		s.note("scale: %d of %d workers killed at once were all back after %s (median)",
			killAtOnce, many, units.Time(median(back)))
	}
	return err
}

// idleWeight is the median proportional set size of some workers that have had no task yet, in kibibytes.
func idleWeight(p *pool.Pool) (float64, error) {
	var samples []float64
	for i, w := range p.Workers() {
		if i%(many/pssSamples) != 0 {
			continue
		}
		kb, err := proportional(w.PID)
		if err != nil {
			return 0, fmt.Errorf("weigh %v: %w", w, err)
		}
		samples = append(samples, kb)
	}
	return median(samples), nil
}

// decimate kills workers all at once while tasks run, and times until the pool is whole again: nothing lost, every slot
// answers.
func (s *session) decimate(ctx context.Context, p *pool.Pool, random *rand.Rand) (time.Duration, error) {
	before := p.Workers()
	done := make(chan error, 1)
	go func() { done <- squares(ctx, p) }()
	began := time.Now()
	for _, i := range random.Perm(many)[:killAtOnce] {
		if !kill(p, before[i]) {
			s.problem("scale: could not kill %v", before[i])
		}
	}
	if err := until(ctx, func() bool { return p.Stats().Exits >= killAtOnce && p.Stats().Ready == many }); err != nil {
		return 0, fmt.Errorf("%d of %d workers are back: %w", p.Stats().Ready, many, err)
	}
	took := time.Since(began)
	if err := <-done; err != nil {
		s.problem("scale: %v", err)
	}
	return took, probeAll(ctx, p)
}

// squares runs tasks over the whole pool and checks every value.
func squares(ctx context.Context, p *pool.Pool) error {
	in := make([]work.NapArg, manyTasks)
	for i := range in {
		in[i] = work.NapArg{N: i, For: time.Millisecond}
	}
	out, err := work.Nap.Map(ctx, p, in)
	if err != nil {
		return err
	}
	for i, v := range out {
		if v != i*i {
			return fmt.Errorf("task %d answered %d", i, v)
		}
	}
	return nil
}

package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/pool"
)

const mapTasks = 1_000_000

// mapSizes are the pools that a Map of tiny tasks is timed on.
var mapSizes = []int{workers, 512, 2048}

// measureMap is a Map of a million tiny tasks, on pools of very different sizes.
func measureMap(ctx context.Context, s *session) error {
	in := make([]int, mapTasks)
	for i := range in {
		in[i] = i + wide
	}
	rates := map[int][]float64{}
	err := s.each(ctx, func() error {
		for _, size := range mapSizes {
			rate, err := mapRate(ctx, size, in)
			if err != nil {
				return fmt.Errorf("%d workers: %w", size, err)
			}
			rates[size] = append(rates[size], rate)
		}
		return nil
	})
	s.Pool.MapTasksS, s.Pool.MapTasksS512, s.Pool.MapTasksS2048 = median(rates[workers]), median(rates[512]),
		median(rates[2048])
	return err
}

// mapRate is how many of the tasks a fresh pool of that size does in a second.
func mapRate(ctx context.Context, size int, in []int) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, scaleWithin)
	defer cancel()
	p, err := pool.New(ctx, pool.Config{Size: size})
	if err != nil {
		return 0, err
	}
	defer p.Terminate()
	began := time.Now()
	out, err := work.Square.Map(ctx, p, in)
	took := time.Since(began)
	for i, v := range out {
		if err == nil && v != in[i]*in[i] {
			err = fmt.Errorf("task %d answered %d", i, v)
		}
	}
	return float64(len(in)) / took.Seconds(), err
}

package bench

import (
	"context"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/pool"
)

// curveSizes lie around the size from which on payloads go by shared memory, in KiB.
var curveSizes = []int{8, 12, 15, 17, 24, 32, 48, 63, 65, 128, 256}

const curvePerRun = 500

// measureCurve is the rate of echoes, one after the other, by their size.
func measureCurve(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	rates := map[int][]float64{}
	err = s.each(ctx, func() error {
		for _, kib := range curveSizes {
			arg := make([]byte, kib<<10)
			samples := make([]time.Duration, 0, curvePerRun)
			for range curvePerRun {
				began := time.Now()
				if _, err := work.Echo.Call(ctx, p, arg); err != nil {
					return err
				}
				samples = append(samples, time.Since(began))
			}
			rates[kib] = append(rates[kib], 2*float64(len(arg))/1e6/median(samples).Seconds())
		}
		return nil
	})
	s.Pool.Curve = map[int]float64{}
	for kib, r := range rates {
		s.Pool.Curve[kib] = median(r)
	}
	return err
}

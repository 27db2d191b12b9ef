package bench

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/respawn-go/respawn/cmd/respawn/internal/work"
	"github.com/respawn-go/respawn/internal/floor"
	"github.com/respawn-go/respawn/pool"
)

const (
	echoSize   = 16 << 20
	echoPerRun = 10
)

// measureEcho gives a worker 16 MiB and takes them back.
func measureEcho(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	arg := make([]byte, echoSize)
	for i := range arg {
		arg[i] = byte(i * 7)
	}
	if _, err := echoes(ctx, p, arg); err != nil { // touches the memory
		return err
	}
	rate := func(samples []time.Duration) float64 { return 2 * echoSize / 1e6 / median(samples).Seconds() }
	var ours, raw []float64
	err = s.each(ctx, func() error {
		samples, err := floor.Echo(ctx, echoSize, echoPerRun)
		if err != nil {
			return err
		}
		raw = append(raw, rate(samples))
		if samples, err = echoes(ctx, p, arg); err != nil {
			return err
		}
		ours = append(ours, rate(samples))
		return nil
	})
	s.Floor.EchoMBS, s.Pool.EchoMBS = median(raw), median(ours)
	return err
}

// echoes times some echoes; comparing what came back is not part of the time.
func echoes(ctx context.Context, p *pool.Pool, arg []byte) ([]time.Duration, error) {
	samples := make([]time.Duration, 0, echoPerRun)
	for range echoPerRun {
		began := time.Now()
		back, err := work.Echo.Call(ctx, p, arg)
		samples = append(samples, time.Since(began))
		if err == nil && !bytes.Equal(arg, back) {
			err = errors.New("another echo than the call")
		}
		if err != nil {
			return nil, err
		}
	}
	return samples, nil
}

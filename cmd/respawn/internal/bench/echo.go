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
	vastSize   = 128 << 20
	echoPerRun = 10
	vastPerRun = 3
)

// measureEcho gives a worker 16 MiB and takes them back, as bytes of the caller's own and on loan. The handler only
// reads its argument; what it costs to give it one of its own is told in a note.
func measureEcho(ctx context.Context, s *session) error {
	p, err := newPool(ctx, pool.Config{Size: workers})
	if err != nil {
		return err
	}
	defer p.Terminate()
	vast := make([]byte, vastSize)
	for i := range vast {
		vast[i] = byte(i * 7)
	}
	arg := vast[:echoSize]
	lent := func(arg []byte) ([]byte, func(), error) {
		back, err := work.Echo.Call(ctx, p, arg)
		return back, func() {}, err
	}
	own := func(arg []byte) ([]byte, func(), error) {
		back, err := work.EchoOwn.Call(ctx, p, arg)
		return back, func() {}, err
	}
	borrowed := func(arg []byte) ([]byte, func(), error) {
		l, err := pool.Borrow(ctx, p, work.EchoLent, arg)
		if err != nil {
			return nil, nil, err
		}
		return l.Bytes(), l.Release, nil
	}
	if _, err := echoes(echoPerRun, arg, lent); err != nil { // touches the memory
		return err
	}
	rate := func(samples []time.Duration) float64 { return 2 * echoSize / 1e6 / median(samples).Seconds() }
	var raw, ours, loans, owned []float64
	err = s.each(ctx, func() error {
		samples, err := floor.Echo(ctx, echoSize, echoPerRun)
		if err != nil {
			return err
		}
		raw = append(raw, rate(samples))
		if samples, err = echoes(echoPerRun, arg, lent); err != nil {
			return err
		}
		ours = append(ours, rate(samples))
		if samples, err = echoes(echoPerRun, arg, borrowed); err != nil {
			return err
		}
		loans = append(loans, rate(samples))
		return nil
	})
	s.Floor.EchoMBS, s.Pool.EchoMBS, s.Pool.EchoLentMBS = median(raw), median(ours), median(loans)
	if err != nil {
		return err
	}
	err = s.each(ctx, func() error { // by itself, since it leaves garbage for others to collect
		samples, err := echoes(echoPerRun, arg, own)
		if err != nil {
			return err
		}
		owned = append(owned, rate(samples))
		return nil
	})
	if err != nil {
		return err
	}
	s.note("echo: by a handler that takes pool.Lent; one that takes []byte, a copy of its own, did %s (median)",
		show(median(owned), "MB/s"))
	return s.vastEcho(ctx, vast, lent, borrowed)
}

// echo is a way to have an argument back, which is released after that.
type echo func(arg []byte) (back []byte, release func(), err error)

// vastEcho tells whether memory costs more where there is much of it.
func (s *session) vastEcho(ctx context.Context, arg []byte, lent, borrowed echo) error {
	rates := map[*echo][]float64{}
	err := s.each(ctx, func() error {
		for _, call := range []*echo{&lent, &borrowed} {
			samples, err := echoes(vastPerRun, arg, *call)
			if err != nil {
				return err
			}
			rates[call] = append(rates[call], 2*vastSize/1e6/median(samples).Seconds())
		}
		return nil
	})
	s.note("echo: 128 MiB came back at %s, and borrowed at %s (medians)",
		show(median(rates[&lent]), "MB/s"), show(median(rates[&borrowed]), "MB/s"))
	return err
}

// echoes times some echoes; comparing what came back, and then giving it back, is not part of the time.
func echoes(n int, arg []byte, call echo) ([]time.Duration, error) {
	samples := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		back, release, err := call(arg)
		samples = append(samples, time.Since(began))
		if err == nil && !bytes.Equal(arg, back) {
			err = errors.New("another echo than the call")
		}
		if err != nil {
			return nil, err
		}
		release()
	}
	return samples, nil
}

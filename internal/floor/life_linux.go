package floor

import (
	"context"
	"time"
)

// Spawn measures n times how long it takes from the fork to the first byte that the child wrote. Before each time
// nothing happens for rest, so that it does not pay for what the one before it left to do; 0 is back to back.
func Spawn(ctx context.Context, n int, rest time.Duration) ([]time.Duration, error) {
	return sample(ctx, n, func() (time.Duration, error) {
		time.Sleep(rest)
		began := time.Now()
		c, err := start(roleHello)
		took := time.Since(began)
		if err == nil {
			c.end()
		}
		return took, err
	})
}

// Reap measures n times how long it takes from SIGKILL until the child is reaped. For rest see Spawn.
func Reap(ctx context.Context, n int, rest time.Duration) ([]time.Duration, error) {
	return sample(ctx, n, func() (time.Duration, error) {
		c, err := start(roleHello)
		if err != nil {
			return 0, err
		}
		defer c.conn.Close()
		time.Sleep(rest)
		began := time.Now()
		_ = c.proc.Kill()
		_, err = c.proc.Wait()
		return time.Since(began), err
	})
}

// Respawn measures n times how long it takes from SIGKILL of a child until its replacement, started once the first one
// is reaped, has written its first byte. For rest see Spawn.
func Respawn(ctx context.Context, n int, rest time.Duration) ([]time.Duration, error) {
	c, err := start(roleHello)
	if err != nil {
		return nil, err
	}
	defer func() { c.end() }()
	return sample(ctx, n, func() (time.Duration, error) {
		time.Sleep(rest)
		began := time.Now()
		c.end()
		next, err := start(roleHello)
		if err == nil {
			c = next
		}
		return time.Since(began), err
	})
}

// sample calls one n times, or until ctx is done.
func sample(ctx context.Context, n int, one func() (time.Duration, error)) ([]time.Duration, error) {
	samples := make([]time.Duration, 0, n)
	for range n {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d, err := one()
		if err != nil {
			return nil, err
		}
		samples = append(samples, d)
	}
	return samples, nil
}

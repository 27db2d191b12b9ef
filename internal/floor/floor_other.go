//go:build !linux

package floor

import (
	"context"
	"time"
)

// Spawn is not supported here.
func Spawn(context.Context, int, time.Duration) ([]time.Duration, error) { return nil, ErrUnsupported }

// Reap is not supported here.
func Reap(context.Context, int, time.Duration) ([]time.Duration, error) { return nil, ErrUnsupported }

// Respawn is not supported here.
func Respawn(context.Context, int, time.Duration) ([]time.Duration, error) {
	return nil, ErrUnsupported
}

// PingPong is not supported here.
func PingPong(context.Context, int) ([]time.Duration, error) { return nil, ErrUnsupported }

// Echo is not supported here.
func Echo(context.Context, int, int) ([]time.Duration, error) { return nil, ErrUnsupported }

// Pipe is not supported here.
func Pipe(context.Context, int) (time.Duration, error) { return 0, ErrUnsupported }

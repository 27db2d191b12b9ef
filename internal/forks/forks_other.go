//go:build !linux

package forks

import (
	"errors"
	"fmt"
	"runtime"
)

// Follower is not supported here.
type Follower struct{}

// Follow is not supported here.
func Follow() (*Follower, error) {
	return nil, fmt.Errorf("following forks is not supported on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// Close does nothing.
func (*Follower) Close() error { return nil }

// Sees is false.
func (*Follower) Sees(int) bool { return false }

// Ended is empty.
func (*Follower) Ended(int) []Life { return nil }

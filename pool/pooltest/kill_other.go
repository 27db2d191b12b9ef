//go:build !linux

package pooltest

import (
	"syscall"

	"github.com/respawn-go/respawn/pool"
)

func signalHeld(int, syscall.Signal, func() bool) error { return pool.ErrUnsupported }

//go:build !linux

package foreign

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// Held is not supported here.
type Held struct{}

// Hold is not supported here.
func Hold(int) (*Held, error) { return nil, errors.ErrUnsupported }

// Exited is not supported here.
func (h *Held) Exited() <-chan struct{} { return nil }

// Gone is not supported here.
func (h *Held) Gone() bool { return true }

// Status is not supported here.
func (h *Held) Status() (status syscall.WaitStatus, ok bool) { return 0, false }

// Signal is not supported here.
func (h *Held) Signal(unix.Signal) error { return errors.ErrUnsupported }

// Release is not supported here.
func (h *Held) Release() {}

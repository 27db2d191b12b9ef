//go:build !linux

package pidfd

import (
	"errors"
	"os"
	"syscall"
)

// Open is not supported here.
func Open(int) (*os.File, error) { return nil, errors.ErrUnsupported }

// Signal is not supported here.
func Signal(*os.File, syscall.Signal, int) error { return errors.ErrUnsupported }

// SignalIf is not supported here.
func SignalIf(int, syscall.Signal, func() bool) error { return errors.ErrUnsupported }

// Await is not supported here.
func Await(*os.File) error { return errors.ErrUnsupported }

// Ended is not supported here.
func Ended(*os.File) bool { return false }

// Exit is not supported here.
func Exit(*os.File) (status syscall.WaitStatus, ok bool) { return 0, false }

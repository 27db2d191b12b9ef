//go:build !linux

package chaos

import (
	"context"
	"os"
	"syscall"
)

func notSupported() error { return Refuse("not supported on this operating system: Linux is needed") }

func hasExitInfo() bool { return false }

// Send is not supported here.
func (v *Victim) Send(syscall.Signal) error { return notSupported() }

// SignalProcess is not supported here.
func SignalProcess(*os.File, int, syscall.Signal) error { return notSupported() }

// ExitInfo is not supported here.
func (v *Victim) ExitInfo() (status syscall.WaitStatus, ok bool) { return 0, false }

// Stop is not supported here.
func (v *Victim) Stop(context.Context) error { return notSupported() }

// Resume is not supported here.
func (v *Victim) Resume() error { return notSupported() }

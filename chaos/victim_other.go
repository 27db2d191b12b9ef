//go:build !linux

package chaos

import (
	"context"
	"syscall"
)

func notSupported() error { return refuse("not supported on this operating system: Linux is needed") }

func hasExitInfo() bool { return false }

// Send is not supported here.
func (v *Victim) Send(syscall.Signal) error { return notSupported() }

// ExitInfo is not supported here.
func (v *Victim) ExitInfo() (status syscall.WaitStatus, ok bool) { return 0, false }

func (v *Victim) stop(context.Context) error { return notSupported() }
func (v *Victim) resume() error              { return notSupported() }

//go:build !linux

package cgroup

import "errors"

var errNotLinux = errors.New("not supported on this operating system")

// Kill is not supported here.
func (g *Group) Kill() error { return errNotLinux }

// KillDir is not supported here.
func KillDir(string, int) error { return errNotLinux }

func isBusy(error) bool { return false }

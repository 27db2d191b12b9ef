//go:build !linux

package guardian

import "errors"

// Guardian is not supported here.
type Guardian struct{}

// Start answers errors.ErrUnsupported.
func Start(string, func(string, ...any)) (*Guardian, error) { return nil, errors.ErrUnsupported }

// Watch is not supported here.
func (g *Guardian) Watch(int, string) error { return errors.ErrUnsupported }

// Forget is not supported here.
func (g *Guardian) Forget(int) {}

// Continue is not supported here.
func (g *Guardian) Continue(int) (done func(), err error) { return nil, errors.ErrUnsupported }

// Undo is not supported here.
func (g *Guardian) Undo(string, string) (done func(), err error) { return nil, errors.ErrUnsupported }

// Remove answers errors.ErrUnsupported.
func (g *Guardian) Remove(string) (done func(), err error) { return nil, errors.ErrUnsupported }

// PID is 0.
func (g *Guardian) PID() int { return 0 }

// Close does nothing.
func (g *Guardian) Close() error { return nil }

// Sweep is not supported here.
func Sweep(string) {}

//go:build !linux

package pool

import "os"

func startProcess(spawnSpec) (process, error) { return nil, ErrUnsupported }

func openDir(string) (*os.File, error) { return nil, nil }

func workerMain(string) { os.Exit(1) }

func guardianMain() { os.Exit(1) }

func (p *Pool) startGuardian() error { return nil }

func (p *Pool) sweep() {}

// Guardian is not supported here.
type Guardian struct{}

// StartGuardian answers ErrUnsupported.
func StartGuardian(string) (*Guardian, error) { return nil, ErrUnsupported }

// Watch is not supported here.
func (g *Guardian) Watch(int, string) error { return ErrUnsupported }

// Forget is not supported here.
func (g *Guardian) Forget(int) {}

// Continue is not supported here.
func (g *Guardian) Continue(int) (done func(), err error) { return nil, ErrUnsupported }

// Undo is not supported here.
func (g *Guardian) Undo(string, string) (done func(), err error) { return nil, ErrUnsupported }

// Remove answers ErrUnsupported.
func (g *Guardian) Remove(string) (done func(), err error) { return nil, ErrUnsupported }

// PID is 0.
func (g *Guardian) PID() int { return 0 }

// Close does nothing.
func (g *Guardian) Close() error { return nil }

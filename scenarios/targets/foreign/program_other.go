//go:build !linux

package foreign

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Start is not supported here.
func Start(Command) (*Program, error) {
	return nil, fmt.Errorf("running other people's pools is not supported on %s: %w",
		runtime.GOOS, errors.ErrUnsupported)
}

// Again is not supported here.
func (p *Program) Again() (*Program, error) { return nil, errors.ErrUnsupported }

// Run is not supported here.
func (p *Program) Run(context.Context, []string) (string, error) { return "", errors.ErrUnsupported }

// Signal is not supported here.
func (p *Program) Signal(unix.Signal) error { return errors.ErrUnsupported }

// End is not supported here.
func (p *Program) End() error { return errors.ErrUnsupported }

func (p *Program) numbered() bool { return true }

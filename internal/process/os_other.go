//go:build !linux

package process

import (
	"errors"
	"os"
)

// Start answers errors.ErrUnsupported.
func Start(Spec) (Process, error) { return nil, errors.ErrUnsupported }

// forkers are none here.
type forkers struct{}

// ForkApart does nothing here.
func (*Launch) ForkApart() {}

// OpenDir opens nothing here.
func OpenDir(string) (*os.File, error) { return nil, nil }

// Advise says nothing here.
func Advise(err error) error { return err }

//go:build !linux

package localfleet

import "fmt"

func newDisk(int64) (*disk, error) { return nil, fmt.Errorf("%w: it takes Linux", ErrNoDisk) }

type diskPart struct{}

func (*diskPart) give() error { return ErrNoDisk }

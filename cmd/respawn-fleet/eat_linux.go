package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// eat takes so many bytes, a mouthful at a time, and keeps them.
func eat(ctx context.Context, most int64) error {
	fd, err := unix.MemfdCreate("hungry", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	mouthful := make([]byte, 256<<10)
	for taken := int64(0); taken < most; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := unix.Write(fd, mouthful)
		if err != nil && err != unix.EINTR { //nolint:errorlint // a raw errno
			return err
		}
		taken += int64(max(n, 0))
	}
	return fmt.Errorf("took %d bytes, and nobody was ended", most)
}

package wire

import (
	"errors"
	"fmt"
)

// The descriptors that a worker inherits beside the standard ones. One of another language has the pipe of tickets in
// place of the page, and no pidfd.
const (
	TasksFD   = 3
	ControlFD = 4
	PageFD    = 5
	DownFD    = 6
	UpFD      = 7
	HostFD    = 8 // a pidfd of the host
)

// ErrAddressSpace is the error of memory that cannot be mapped.
var ErrAddressSpace = errors.New("each worker takes four times Config.MaxPayload of the address space, here and in " +
	"itself: lower Config.MaxPayload to what the largest argument and result need, or raise the limit (ulimit -v)")

// MapFailed says what memory that cannot be mapped is for.
func MapFailed(size int, err error) error {
	return fmt.Errorf("map %d bytes: %w: %w", size, err, ErrAddressSpace)
}

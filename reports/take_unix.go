//go:build unix

package reports

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// taken locks the directory, and tells whether somebody else had already.
func taken(d *os.File) bool {
	return errors.Is(unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// await locks the directory, once others let go of it.
func await(d *os.File) {
	for errors.Is(unix.Flock(int(d.Fd()), unix.LOCK_EX), unix.EINTR) {
	}
}

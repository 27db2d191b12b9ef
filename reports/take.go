package reports

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrTaken is returned where a run that is going on has its files in the directory.
var ErrTaken = errors.New("another run is writing there: let it end, or choose another directory")

// Take makes the directory of a run, removes from it what an earlier run has left, for a run that then breaks must not be
// taken for the one before it, and keeps other runs out of it until release is called or the process ends. ErrTaken if
// another run has it.
func Take(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the run: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the directory of the run: %w", err)
	}
	if err := lock(d, dir); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	for _, name := range append(files[:], historyFile) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			_ = d.Close()
			return nil, fmt.Errorf("replace the last run: %w", err)
		}
	}
	return func() { _ = d.Close() }, nil
}

// lock locks the directory itself, so that nothing is left behind in it: the kernel lets go of it with its descriptor. Where
// there are no such locks, nobody is kept out.
func lock(d *os.File, dir string) error {
	if taken(d) {
		return fmt.Errorf("%s: %w", dir, ErrTaken)
	}
	mine, err := d.Stat()
	if err != nil {
		return fmt.Errorf("look at the directory of the run: %w", err)
	}
	if there, err := os.Stat(dir); err != nil || !os.SameFile(mine, there) { // it was removed by whoever had it
		return fmt.Errorf("%s: %w", dir, ErrTaken)
	}
	return nil
}

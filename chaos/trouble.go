package chaos

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/chaos/witness"
)

// troubleError ends a run in which the harness itself lacks something: what its target does from then on says nothing
// about it.
type troubleError struct{ error }

func (e troubleError) Unwrap() error { return e.error }

// troubleEvery bounds how often failed tasks make the harness look at itself.
const troubleEvery = 100 * time.Millisecond

// doubt looks at the harness when a task has come to a bad end, and ends the run if that is at fault.
func (x *experiment) doubt() {
	now := int64(x.clock.now())
	last := x.doubted.Load()
	if last != 0 && now-last < int64(troubleEvery) || !x.doubted.CompareAndSwap(last, now) {
		return
	}
	if err := x.trouble(); err != nil {
		x.troubled.Store(true)
		x.cancel(err)
	}
}

// trouble is what keeps the harness from doing its part, nil for nothing: the witness cannot be written, which fails
// every task that must be witnessed, or this process is at one of its limits.
func (x *experiment) trouble() error {
	f, err := os.Open(os.DevNull)
	if err != nil && lacking(err) {
		return troubleError{fmt.Errorf("this process is at a limit: %w", err)}
	}
	_ = f.Close()
	if x.Witness == "" {
		return nil
	}
	err = witness.Try(x.Witness)
	_, dirErr := os.Stat(filepath.Dir(x.Witness))
	if errors.Is(err, fs.ErrNotExist) && dirErr == nil && !x.witnessed.Load() {
		return nil // the first execution makes it
	}
	if err == nil {
		x.witnessed.Store(true)
	}
	if err != nil && (lacking(err) || errors.Is(err, fs.ErrNotExist)) {
		return troubleError{fmt.Errorf("the tasks cannot be witnessed: %w (TMPDIR is %s)", err, os.TempDir())}
	}
	return nil
}

// lacking tells whether a call failed because the host, or a limit of this process, has no more to give.
func lacking(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE,
		syscall.ENOMEM,
	}, func(lack error) bool { return errors.Is(err, lack) })
}

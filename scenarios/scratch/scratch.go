// Package scratch makes temporary directories that do not outlive this process, however it ends.
package scratch

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"github.com/respawn-go/respawn/internal/guardian"
)

// Dir makes a directory for temporary files, whose name begins with the prefix. remove removes it; if this process is
// killed before, a guardian does, which is a copy of this program: it must call pool.Main first thing. Errors:
// pool.ErrMainNotCalled; what the kernel says.
func Dir(prefix string) (dir string, remove func(), err error) {
	keeper, err := guardian.Start("scratch-"+rand.Text(), nil)
	if err != nil {
		return "", nil, err
	}
	dir = filepath.Join(os.TempDir(), prefix+rand.Text())
	remove = func() {
		_ = os.RemoveAll(dir)
		_ = keeper.Close()
	}
	if _, err = keeper.Remove(dir); err == nil {
		err = os.Mkdir(dir, 0o700)
	}
	if err != nil {
		remove()
		return "", nil, fmt.Errorf("make a scratch directory: %w", err)
	}
	return dir, remove, nil
}

package chaos

import "github.com/respawn-go/respawn/internal/procfs"

// HasExitInfo tells whether this kernel remembers how a reaped process ended.
func HasExitInfo() bool { return hasExitInfo() }

// Blind makes the list of all processes fail until see is called.
func Blind(err error) (see func()) {
	snapshot = func() (procfs.Table, error) { return nil, err }
	return func() { snapshot = procfs.Snapshot }
}

// OutOfMemory is outOfMemory.
var OutOfMemory = outOfMemory

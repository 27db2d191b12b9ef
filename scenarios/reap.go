package scenarios

import (
	"maps"
	"os"
	"syscall"

	"github.com/respawn-go/respawn/internal/procfs"
)

// reapInherited reaps the zombies that this process was handed as process 1 of its namespace, where nobody else does.
// It is for the time between runs: what is waited for by those who started it is left alone by looking twice.
func reapInherited() {
	if os.Getpid() != 1 {
		return
	}
	first := zombies()
	second := zombies()
	maps.DeleteFunc(first, func(pid int, _ bool) bool { return !second[pid] })
	for pid := range first {
		_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
	}
}

// zombies are the children of this process that have ended and that nobody has waited for.
func zombies() map[int]bool {
	table, _ := procfs.Snapshot()
	found := map[int]bool{}
	for pid, p := range table {
		if p.State == 'Z' && p.PPID == os.Getpid() {
			found[pid] = true
		}
	}
	return found
}

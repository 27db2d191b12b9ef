package serve

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// oomScoreAdj makes the kernel prefer a worker to its host, and to most else, when the machine itself is out of memory:
// a worker is replaced, a host is not (proc_pid_oom_score_adj(5): -1000 to 1000, raising it needs no privilege).
const oomScoreAdj = 500

// volunteer raises this process's oom_score_adj, which what it starts inherits. Where it cannot be, nothing is lost.
func volunteer() {
	const file = "/proc/self/oom_score_adj"
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CLOEXEC, 0) // package os would set up its poller for it
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var now [16]byte
	n, _ := unix.Read(fd, now[:])
	if adj, err := strconv.Atoi(string(bytes.TrimSpace(now[:max(n, 0)]))); err == nil && adj < oomScoreAdj {
		_, _ = unix.Pwrite(fd, strconv.AppendInt(nil, oomScoreAdj, 10), 0)
	}
}

package pool

import (
	"bytes"
	"os"
	"strconv"
)

// oomScoreAdj makes the kernel prefer a worker to its host, and to most else, when the machine itself is out of memory: a
// worker is replaced, a host is not (proc_pid_oom_score_adj(5): -1000 to 1000, raising it needs no privilege).
const oomScoreAdj = 500

// volunteer raises this process's oom_score_adj, which what it starts inherits. Where it cannot be, nothing is lost.
func volunteer() {
	const file = "/proc/self/oom_score_adj"
	now, err := os.ReadFile(file)
	if n, parseErr := strconv.Atoi(string(bytes.TrimSpace(now))); err == nil && parseErr == nil && n < oomScoreAdj {
		_ = os.WriteFile(file, strconv.AppendInt(nil, oomScoreAdj, 10), 0)
	}
}

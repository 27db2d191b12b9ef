package pooltest

import (
	"sync"
	"testing"

	"github.com/respawn-go/respawn/pool"
)

// inProcess has the workers of the pools that InProcess made: *pool.Pool → *pool.InProcessWorkers.
var inProcess sync.Map

// InProcess makes a pool whose workers are goroutines of the test's own process: no pool.Main, no second process, and
// handlers that can share variables with the test. It is the real pool otherwise, and Kill, Signal and the matchers
// work on it: a killed worker's task runs again elsewhere and is charged to its budget. pool.InProcess says what such
// workers cannot do. The test fails at once if the pool cannot be made; when it ends, the pool is terminated.
func InProcess(t testing.TB, cfg pool.Config) *pool.Pool {
	t.Helper()
	cfg, workers := pool.InProcess(cfg)
	p, err := pool.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	inProcess.Store(p, workers)
	t.Cleanup(func() {
		p.Terminate()
		inProcess.Delete(p)
	})
	return p
}

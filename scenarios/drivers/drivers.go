// Package drivers holds the drivers of pools written elsewhere: programs in other languages, described in
// docs/drivers.md.
package drivers

import (
	"embed"
	"os"
	"path/filepath"

	"github.com/respawn-go/respawn/scenarios/scratch"
)

//go:embed *.py *.mjs *.cjs go_plugin.sh package.json
var files embed.FS

// Driver is one of ours.
type Driver struct {
	// Name is short, for command lines: "executor".
	Name string
	// Pool is what it wraps.
	Pool string
	// File is the driver's, in the directory that Dir finds.
	File string
	// Program is what runs it: "python3", "node", "sh".
	Program string
}

// All lists the drivers in the order of the documentation.
func All() []Driver {
	return []Driver{
		{"multiprocessing", "CPython multiprocessing.Pool", "multiprocessing_pool.py", "python3"},
		{"executor", "CPython ProcessPoolExecutor", "process_pool_executor.py", "python3"},
		{"pebble", "pebble ProcessPool", "pebble_pool.py", "python3"},
		{"loky", "joblib loky", "loky_executor.py", "python3"},
		{"billiard", "billiard Pool", "billiard_pool.py", "python3"},
		{"workerpool", "Node workerpool (process)", "workerpool.mjs", "node"},
		{"jest-worker", "jest-worker (process)", "jest_worker.mjs", "node"},
		{"tinypool", "tinypool (child_process)", "tinypool.mjs", "node"},
		{"poolifier", "poolifier (cluster, fixed)", "poolifier.mjs", "node"},
		{"go-plugin", "hashicorp/go-plugin", "go_plugin.sh", "sh"},
		{"distributed", "dask.distributed LocalCluster", "distributed_cluster.py", "python3"},
	}
}

// Argv is the command that starts the driver from that directory. The system's own python3 is preferred to another one in
// PATH, since the distribution's packages are for it.
func (d Driver) Argv(dir string) []string {
	program := d.Program
	if system := "/usr/bin/" + program; program == "python3" {
		if _, err := os.Stat(system); err == nil {
			program = system
		}
	}
	return []string{program, filepath.Join(dir, d.File)}
}

// Dir finds the directory with the drivers: scenarios/drivers here or in a parent of the working directory, which has what
// its install.sh installed. Elsewhere their files are written to scratch.
func Dir(into string) (string, error) {
	return scratch.Files("scenarios/drivers", "respawn_driver.py", into, files)
}

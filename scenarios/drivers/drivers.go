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
	// Args follow the file.
	Args []string
}

// All lists the drivers in the order of the documentation.
func All() []Driver {
	return []Driver{
		{"multiprocessing", "CPython multiprocessing.Pool", "multiprocessing_pool.py", "python3", nil},
		{"executor", "CPython ProcessPoolExecutor", "process_pool_executor.py", "python3", nil},
		{"pebble", "pebble ProcessPool", "pebble_pool.py", "python3", nil},
		{"loky", "joblib loky", "loky_executor.py", "python3", nil},
		{"billiard", "billiard Pool", "billiard_pool.py", "python3", nil},
		{"workerpool", "Node workerpool (process)", "workerpool.mjs", "node", nil},
		{"jest-worker", "jest-worker (process)", "jest_worker.mjs", "node", nil},
		{"jest-worker-29", "jest-worker (process), older", "jest_worker.mjs", "node", []string{"jest-worker-29"}},
		{"tinypool", "tinypool (child_process)", "tinypool.mjs", "node", nil},
		{"poolifier", "poolifier (cluster, fixed)", "poolifier.mjs", "node", nil},
		{"worker-farm", "worker-farm", "worker_farm.mjs", "node", nil},
		{"go-plugin", "hashicorp/go-plugin", "go_plugin.sh", "sh", nil},
		{"distributed", "dask.distributed LocalCluster", "distributed_cluster.py", "python3", nil},
	}
}

// Argv is the command that starts the driver from that directory. The system's own python3 is preferred to another one
// in PATH, since the distribution's packages are for it.
func (d Driver) Argv(dir string) []string {
	program := d.Program
	if system := "/usr/bin/" + program; program == "python3" {
		if _, err := os.Stat(system); err == nil {
			program = system
		}
	}
	if d.File == "" {
		return append([]string{program}, d.Args...)
	}
	return append([]string{program, filepath.Join(dir, d.File)}, d.Args...)
}

// Fleets lists the drivers of fleets: of job queues whose workers are on many machines, here processes of one. They are
// installed by install.sh fleets, which puts their programs where respawn matrix finds them.
func Fleets() []Driver {
	const python, own = "respawn-fleets-python", "respawn-driver-fleets"
	return []Driver{
		{"celery", "celery on Redis, as it comes", "celery_fleet.py", python, nil},
		{
			"celery-late", "celery on Redis, acks_late, visibility_timeout 20 s",
			"celery_fleet.py", python,
			[]string{"late"},
		},
		{"rq", "rq on Redis, as it comes", "rq_fleet.py", python, nil},
		{
			"rq-careful", "rq on Redis, 3 retries, worker_ttl 20 s, maintenance each 10 s",
			"rq_fleet.py", python,
			[]string{"careful"},
		},
		{"distributed-fleet", "dask.distributed, workers without a nanny", "distributed_fleet.py", python, nil},
		{"ray", "ray, as it comes", "ray_fleet.py", python, nil},
		{"asynq", "asynq on Redis, as it comes", "", own, []string{"asynq"}},
		{"river", "river on SQLite, as it comes", "", own, []string{"river"}},
		{
			"river-careful", "river on SQLite, JobTimeout 10 s, RescueStuckJobsAfter 15 s",
			"", own,
			[]string{"river-careful"},
		},
	}
}

// Dir finds the directory with the drivers: scenarios/drivers here or in a parent of the working directory, which has
// what its install.sh installed. Elsewhere their files are written to scratch.
func Dir(into string) (string, error) {
	return scratch.Files("scenarios/drivers", "respawn_driver.py", into, files)
}

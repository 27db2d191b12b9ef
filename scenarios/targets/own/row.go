// Package own makes this project's pool into a target of the chaos engine: package tasks is what its workers run.
package own

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Row is the row of this project's pool.
var Row = kind.Kind{
	Name: "pool",
	Doc:  "This project's pool, in this process.",
	New:  func() kind.Settings { return &Settings{} },
	Can:  kind.Can{All: true},
	Known: func(files kind.Files) []kind.Known {
		return []kind.Known{
			{Family: kind.Pools, Name: "respawn", Pool: "respawn"},
			{
				Family: kind.Supervisors, Name: "respawn", Pool: "respawn's pool, of its workers",
				Settings: map[string]any{
					"command": supervised(files.Programs), "supervised": true,
				},
			},
		}
	},
}

// supervised is the command of workers that do what programs of supervisors do, and the tasks of the harness.
func supervised(dir string) []string {
	sdk := strings.Join([]string{dir, filepath.Join(dir, "../../workers/python")}, string(os.PathListSeparator))
	return []string{
		"env", "PYTHONPATH=" + sdk, "THEN=python3 " + filepath.Join(dir, "respawn_worker.py"), "sh",
		filepath.Join(dir, "worker.sh"),
	}
}

// Package own makes this project's pool into a target of the chaos engine: package tasks is what its workers run.
package own

import (
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// Row is the row of this project's pool.
var Row = kind.Kind{
	Name: "pool",
	Doc:  "This project's pool, in this process.",
	New:  func() kind.Settings { return &Settings{} },
	Can:  kind.Can{All: true},
	Known: func(string) []kind.Known {
		return []kind.Known{{Name: "respawn", Pool: "respawn"}}
	},
}

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

// Package early turns this program into a worker, a guardian or a floor's child before its other packages are
// initialised. Go initialises ready packages in the order of their import paths, so this one comes before the command
// line and the file formats, and a worker neither waits for those nor holds memory for them: see
// docs/decisions/0020-early-workers.md for the figures.
//
// The tasks that workers of this program can run must be registered by packages that this one imports: in a worker,
// nothing after it is ever initialised.
package early

import (
	_ "github.com/respawn-go/respawn/cmd/respawn/internal/work" // its tasks
	_ "github.com/respawn-go/respawn/internal/floor"
	"github.com/respawn-go/respawn/pool"
	_ "github.com/respawn-go/respawn/scenarios/targets/own/tasks"
)

func init() {
	pool.Main()
}

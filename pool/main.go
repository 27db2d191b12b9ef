package pool

import (
	"os"

	"github.com/respawn-go/respawn/internal/reexec"
)

// Main turns a re-executed copy of this program into what it was started as: a worker, the guardian, or a process of a
// fleet that fleettest has started, and then never returns. In any other process it does nothing but remember that it
// was called. It must be the first statement of func main, before flags are parsed or anything is started, and of
// TestMain in tests:
//
//	func TestMain(m *testing.M) { pool.Main(); os.Exit(m.Run()) }
//
// A worker runs nothing of main after Main. Flags are not parsed there, and what main sets is not set: a handler sees
// package-level variables as they are declared. os.Args is the worker's name alone, and every init function and
// package-level declaration of the program runs again in each worker. What handlers need goes into their arguments,
// into [Config.Env], or once for each worker into [Config.Initializer]; pooltest.Vet finds handlers that overlook it.
// docs/workers.md has the rest: directory, output, signals, limits.
//
// Under go test -cover, what handlers covered counts for each worker that exits: on Close, Drain, Restart, Resize,
// recycling. One that is killed, as Terminate does, has written nothing: close the pool at the end of the test.
func Main() { reexec.Main() }

// One that is marked as a worker of another language is none.
var _ = reexec.Protocol.Serve(func(string) {
	os.Stderr.WriteString("respawn: Config.Command started a program that calls pool.Main, which does not speak " +
		"docs/wire.md: name it in Config.Program, or unset " +
		reexec.Protocol.Env + "\n")
	os.Exit(1)
})

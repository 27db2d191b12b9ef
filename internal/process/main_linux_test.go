package process

import (
	"os"
	"testing"

	"github.com/respawn-go/respawn/internal/reexec"
)

// A worker here waits to be killed.
var _ = reexec.Worker.Serve(func(string) { select {} })

func TestMain(m *testing.M) {
	reexec.Main()
	os.Exit(m.Run())
}

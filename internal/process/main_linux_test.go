package process

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/wire"
)

// A worker here waits to be killed, and one of that name says one thing and exits.
var _ = reexec.Worker.Serve(func(name string) {
	if name == lastWords {
		_, _ = unix.Write(wire.TasksFD, []byte("x"))
		return
	}
	select {}
})

const lastWords = "lastWords"

func TestMain(m *testing.M) {
	reexec.Main()
	os.Exit(m.Run())
}

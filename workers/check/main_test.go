package check_test

import (
	"os"
	"testing"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

func TestMain(m *testing.M) {
	pool.Main() // the guardian of a checked worker is this program
	takes.SideBySide(6)
	os.Exit(m.Run())
}

package check_test

import (
	"os"
	"testing"

	"github.com/respawn-go/respawn/pool"
)

func TestMain(m *testing.M) {
	pool.Main() // the guardian of a checked worker is this program
	os.Exit(m.Run())
}

package faults_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/faults"
)

// envForgets makes this program one that starts a hog and does not call Main, which a hog of it would be too.
const envForgets = "CHAOS_TEST_FORGETS"

func TestMain(m *testing.M) {
	if os.Getenv(envForgets) != "" {
		fmt.Print(faults.StartHog())
		os.Exit(0)
	}
	chaos.Main()
	os.Exit(m.Run())
}
